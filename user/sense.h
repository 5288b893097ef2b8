/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sense.h: where the signals of a step come from: the local sockets, the kernel's pressure files,
 * the table of pushed signals, other machines. Fills each class's sample; decides nothing.
 */
#ifndef WEIR_SENSE_H
#define WEIR_SENSE_H

#include "steer.h"

/* Is a pass over the sockets needed for it? */
bool sense_needs_sockets(enum signal_kind kind);

/* Looks at what is due, sockets and pressure, and finds what others send; when there is more to. */
int sense_step(struct steer *steer, __u64 now_ns, __u64 *ret_next_ns);
void sense_heard(struct steer *steer, unsigned int slot);

/* limited, active, used_bps: from what the kernel keeps of a class. */
int sense_producers(struct steer *steer, unsigned int slot,
		    const struct weir_class_state *state, __u64 now_ns);

/* A class's backlog as a signal for others; false where none was measured. */
bool sense_serve(const struct steer_class *class, struct signal *ret);

#endif
