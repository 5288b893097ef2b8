/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * signals.h: what a controller can follow: the kinds of signals, the words that push one, and the
 * table of those that were pushed, with their time to live. Pure: no libbpf, no clock, no log, no
 * socket.
 */
#ifndef WEIR_SIGNALS_H
#define WEIR_SIGNALS_H

#include <stdbool.h>
#include <weir/abi.h>
#include "opts.h"

enum signal_kind {
	SIGNAL_NONE, SIGNAL_BACKLOG, SIGNAL_RTT, SIGNAL_CE, SIGNAL_LOSS, SIGNAL_PSI, SIGNAL_HTTP,
	SIGNAL_PUSHED,
};

enum signal_psi { SIGNAL_PSI_CPU, SIGNAL_PSI_MEMORY, SIGNAL_PSI_IO, SIGNAL_PSI_COUNT };
extern const char *const signal_psi_names[];	/* NULL-terminated */

/* The kind of what follows `control`; "" is SIGNAL_NONE. The words were checked before. */
enum signal_kind signal_kind_of(const char *words);

/* "backlog", "psi io cgroup PATH", "http://HOST:PORT/NAME", or the NAME of a pushed signal */
int signal_check(const char *words, struct err *err);

/* The parts of "psi RESOURCE [cgroup PATH]"; path NULL: the machine's. */
enum signal_psi signal_psi_of(const char *words, const char **ret_path);

/* The parts of "http://HOST:PORT/NAME"; HOST may be [IPv6]. -EINVAL. */
struct signal_url {
	char host[WEIR_PATH_LEN], name[64];
	unsigned int port;
};
int signal_url_parse(const char *words, struct signal_url *ret, struct err *err);

/* words that follow `control` as they are; NULL-terminated */
extern const char *const signal_words[];

/* Values: a time ("12ms") is ns; a number ("0.25", "1500") or a share ("5%") is 1e-6 units. */
int signal_value(const char *text, __u64 *ret_value, bool *ret_is_time, struct err *err);

/* In the words of the grammar, exact; and for people. */
struct signal_text {
	char text[32];
};
struct signal_text signal_value_exact(__u64 value, bool is_time);
struct signal_text signal_value_show(__u64 value, bool is_time);
/* For people, of what `control` follows: psi, ce and loss are shares, with their sign. */
bool signal_is_share(const char *words);
struct signal_text signal_show(const char *words, __u64 value, bool is_time);

/* the target where the user gives none; 0: there is no sensible one */
__u64 signal_target_default(const char *words, bool *ret_is_time);

#define SIGNAL_NAME_LEN 64
#define SIGNALS_MAX 1024
#define SIGNAL_TTL_DEFAULT_NS 3000000000ULL
#define SIGNAL_TTL_MIN_NS 10000000ULL
#define SIGNAL_TTL_MAX_NS 3600000000000ULL
#define SIGNAL_VALUE_MAX 1000000000000000000ULL

struct signal {
	char name[SIGNAL_NAME_LEN];
	__u64 value;
	bool is_time, stalled, clear;
	__u64 at_ns;			/* when it was heard; 0: never */
	__u64 ttl_ns;
	__u64 drain_bps;		/* what the consumer takes; 0: not told */
};

struct signals;

struct signals *signals_new(void);
void signals_free(struct signals *signals);

/* what may follow NAME VALUE; they are of struct signal */
extern const struct opts_key signal_keys[];
extern const unsigned int signal_n_keys;

/* "NAME VALUE [ttl TIME] [drain RATE]"; -EINVAL with the reason. */
int signal_parse(const char *text, struct signal *ret, struct err *err);

/* Takes it in, in place of the one of that name; one long expired goes when there is no room. */
int signals_put(struct signals *signals, const struct signal *signal, __u64 now_ns);
/* Moves when a name comes or goes: what signals_find() has returned before may hold another. */
__u64 signals_epoch(const struct signals *signals);
const struct signal *signals_find(const struct signals *signals, const char *name);

/* One after the other, in no order; NULL ends. */
const struct signal *signals_next(const struct signals *signals, const struct signal *before);

static inline bool signal_fresh(const struct signal *signal, __u64 now_ns)
{
	return signal->at_ns && now_ns < signal->at_ns + signal->ttl_ns;
}

#endif
