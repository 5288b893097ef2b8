// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_signal.c: arbitrary datagrams as pushed signals, one a line: whoever may write to the socket
 * sends them. What is taken is within its bounds, is found again, and is the same when its words
 * are read once more; what is refused says why.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "quantity.h"
#include "signals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds, const char *what, const char *detail)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, detail);
	abort();
}

static void again(const struct signal *signal)
{
	struct signal read;
	struct err err = {};
	char words[256];
	int n;

	n = snprintf(words, sizeof(words), "%s %s ttl %s", signal->name,
		     signal_value_exact(signal->value, signal->is_time).text,
		     quantity_time_exact(signal->ttl_ns).text);
	if (signal->drain_bps)
		snprintf(words + n, sizeof(words) - n, " drain %s",
			 quantity_rate_exact(signal->drain_bps).text);
	must(!signal_parse(words, &read, &err), words, err.text);
	must(!memcmp(&read, signal, sizeof(read)), "differs", words);
}

static void datagram(struct signals *signals, const char *text, __u64 now_ns)
{
	const struct signal *found;
	struct signal signal;
	struct err err = {};

	/* padding is compared, too */
	memset(&signal, 0, sizeof(signal));
	if (signal_parse(text, &signal, &err)) {
		must(err.text[0] != '\0', "refused without a word", text);
		return;
	}
	must(signal.value <= SIGNAL_VALUE_MAX, "value", text);
	must(signal.ttl_ns >= SIGNAL_TTL_MIN_NS && signal.ttl_ns <= SIGNAL_TTL_MAX_NS, "ttl", text);
	again(&signal);
	if (signals_put(signals, &signal, now_ns))
		return;
	found = signals_find(signals, signal.name);
	must(found && found->value == signal.value && found->at_ns == now_ns, "not found again",
	     text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signals *signals = signals_new();
	char *text = malloc(size + 1), *rest = text, *line;
	unsigned int n = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	for (__u64 now_ns = 1; (line = strsep(&rest, "\n")); now_ns += 1000000000)
		datagram(signals, line, now_ns);
	for (const struct signal *at = NULL; (at = signals_next(signals, at)); n++)
		must(at->name[0] != '\0', "no name", "");
	must(n <= SIGNALS_MAX, "more than fit", "");
	signals_free(signals);
	free(text);
	return 0;
}
