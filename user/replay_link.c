// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay_link.c: the virtual link behind weir: a FIFO without a limit, served at a rate. Packets
 * are offered in the order of their arrival at weir and sent in that of their departure, as fq
 * does it: a heap holds those that weir delays.
 */
#include <weir/bucket.h>
#include "replay.h"

static bool before(const struct replay_waiting *a, const struct replay_waiting *b)
{
	if (a->departure_ns != b->departure_ns)
		return a->departure_ns < b->departure_ns;
	return a->number < b->number;
}

int replay_link_offer(struct replay_link *link, __u64 departure_ns, __u32 bytes, unsigned int slot)
{
	struct replay_waiting packet = { departure_ns, link->number++, bytes, slot };
	size_t at = link->n;

	if (link->n == link->room) {
		size_t room = link->room ? 2 * link->room : 4096;
		struct replay_waiting *heap = realloc(link->heap, room * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		link->heap = heap;
		link->room = room;
	}
	link->n++;
	while (at && before(&packet, &link->heap[(at - 1) / 2])) {
		link->heap[at] = link->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	link->heap[at] = packet;
	return 0;
}

static struct replay_waiting take_first(struct replay_link *link)
{
	struct replay_waiting first = link->heap[0], last = link->heap[--link->n];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < link->n) {
		if (child + 1 < link->n && before(&link->heap[child + 1], &link->heap[child]))
			child++;
		if (!before(&link->heap[child], &last))
			break;
		link->heap[at] = link->heap[child];
		at = child;
	}
	link->heap[at] = last;
	return first;
}

int replay_link_advance(struct replay_link *link, __u64 now_ns)
{
	int r = 0;

	while (!r && link->n && link->heap[0].departure_ns <= now_ns) {
		struct replay_waiting packet = take_first(link);
		__u64 start = packet.departure_ns > link->free_at_ns ? packet.departure_ns :
								       link->free_at_ns;
		__u64 waited = start - packet.departure_ns;

		link->free_at_ns = start + weir_cost(packet.bytes, link->npb);
		link->bytes += packet.bytes;
		r = replay_delays_add(&link->queue, waited);
		if (!r && link->classes)
			r = replay_delays_add(&link->classes[packet.slot].queue, waited);
	}
	return r;
}

void replay_link_free(struct replay_link *link)
{
	free(link->queue.bins);
	free(link->heap);
}
