/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tell.h: makes a decision known: a structured line (text on stderr, JSON on stdout), the ring of
 * decisions for `weir monitor`. Lines are bounded in number, events are not.
 */
#ifndef WEIR_TELL_H
#define WEIR_TELL_H

#include <stdbool.h>
#include <weir/abi.h>

struct maps;

struct tell {
	bool json;
	__u64 seq;			/* of the last decision in the ring */
	__u64 since_ns;			/* a second, in which so many classes have had news ... */
	unsigned int n, n_before;	/* ... and so many in the one before it */
	double share;			/* of each, of what a class has where few have news */
};

/*
 * A class's lines: a tenth of the rate is worth one, or a reason of another kind; so many at once
 * and per second. Where more than TELL_CLASSES have news they share what so many would have: a
 * journal takes some 300 a second, and each costs as much as tens of steps. What is left out is
 * counted in the next line.
 */
#define TELL_PART 10
#define TELL_BURST 20
#define TELL_PER_SECOND 2
#define TELL_CLASSES 50
struct tell_budget {
	double tokens;
	__u64 at_ns;
	__u64 rate_bps;			/* of the last line */
	__u8 reason;
	unsigned int left_out;
};

/* Goes on behind what an earlier agent wrote; -errno. */
int tell_start(struct tell *tell, const struct maps *maps);

void tell_decision(struct tell *tell, const struct maps *maps, struct weir_decision *decision,
		   const char *signal, struct tell_budget *budget);
/* Now and then, of a decision that stands: the line that its change was refused, if it was. */
void tell_late(struct tell *tell, struct weir_decision decision, const char *signal,
	       struct tell_budget *budget);

#endif
