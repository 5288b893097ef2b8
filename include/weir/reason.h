/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reason.h: the one list of verdict reasons. Counters, `show`, `top`, metrics, events and the
 * manual are generated from it. Every packet gets exactly one reason; a reason says whether the
 * packet passed or was dropped. The order is ABI: append only, and raise WEIR_ABI otherwise.
 * Owns names and one-line explanations; must not know maps, helpers or output.
 */
#ifndef WEIR_REASON_H
#define WEIR_REASON_H

/* X(ENUM, "name", drops, "what it means, in words") */
#define WEIR_REASONS(X) \
	X(UNLIMITED, "unlimited", 0, "the class sets no rate; the packet was only counted") \
	X(CONFORM, "conform", 0, "within its rate; passed at once") \
	X(DELAYED, "delayed", 0, "above its rate; given a later departure time (EDT) for fq to keep") \
	X(SOCKET, "socket", 0, "above its rate for a moment; its own socket is being paced instead") \
	X(MARKED, "marked", 0, "above its rate and ECN-capable (ECT(0)); CE was set") \
	X(MARKED_L4S, "marked-l4s", 0, "a queue above the L4S threshold and ECT(1); CE was set") \
	X(SPARED, "spared", 0, "others would have been dropped, not a control packet or one sent again; passed and charged") \
	X(NEWCOMER, "newcomer", 0, "the first packet of an unknown flow; charged to its class alone") \
	X(NO_FLOW, "no-flow", 0, "no flow entry could be made; charged to its class alone") \
	X(NOT_IP, "not-ip", 0, "neither IPv4 nor IPv6 (ARP, LLDP and the like); passed uncharged") \
	X(UNPARSED, "unparsed", 0, "a truncated or malformed header; passed uncharged") \
	X(NO_POLICY, "no-policy", 0, "no policy is loaded, or its class is gone; passed uncharged") \
	X(DROP_RATE, "drop-rate", 1, "the flow's burst is used up; policed") \
	X(DROP_CLASS, "drop-class", 1, "the class's burst is used up; policed") \
	X(DROP_HORIZON, "drop-horizon", 1, "its departure would lie beyond drop-at") \
	X(DROP_AQM, "drop-aqm", 1, "an early drop of a Not-ECT packet, where an ECN-capable one is marked") \
	X(DROP_CONN, "drop-conn", 1, "opens a TCP connection beyond the class's conn-rate")

enum weir_reason {
#define X(e, name, drops, text) WEIR_R_##e,
	WEIR_REASONS(X)
#undef X
	WEIR_R_COUNT
};

/* the reasons from here on are drops */
#define WEIR_R_FIRST_DROP WEIR_R_DROP_RATE

#endif
