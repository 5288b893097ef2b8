// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic_report.c: the run's results as JSON lines: one object per event, flow and group.
 * Rates are what the receiver read, times the ratio of wire to payload. The wire counts each
 * segment with its own headers from Ethernet up; for TCP the receiver's TCP counts the segments
 * (veth's counters see one header per GSO packet and under-read).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "traffic.h"

uint32_t flow_header_bytes(const struct flow *flow)
{
	uint32_t ip = flow->spec->addr.ss_family == AF_INET ? 20 : 40;

	if (flow->spec->kind == KIND_UDP)
		return 14 + ip + 8;
	return 14 + ip + 20 + (flow->tx_info.tcpi_options & TCPI_OPT_TIMESTAMPS ? 12 : 0);
}

static double wire_ratio(const struct flow *flow)
{
	const struct tcp_info *rx = &flow->rx_info;
	double header = flow_header_bytes(flow);

	if (flow->spec->kind == KIND_UDP)
		return (flow->spec->size_bytes + header) / flow->spec->size_bytes;
	if (rx->tcpi_bytes_received && rx->tcpi_data_segs_in)
		return 1 + header * rx->tcpi_data_segs_in / rx->tcpi_bytes_received;
	return 1;
}

/* payload bytes in [from, to) of the flow's own time */
static uint64_t bytes_between(const struct run *run, const struct flow *flow, uint64_t from_ns,
			      uint64_t to_ns)
{
	uint64_t i, sum = 0;

	for (i = from_ns / run->step_ns; i < to_ns / run->step_ns && i < flow->n_bins; i++)
		sum += flow->bins[i];
	return sum;
}

static double bps_between(const struct run *run, const struct flow *flow, uint64_t from_ns,
			  uint64_t to_ns)
{
	if (to_ns <= from_ns)
		return 0;
	return bytes_between(run, flow, from_ns, to_ns) * wire_ratio(flow) * 8 * SEC /
	       (to_ns - from_ns);
}

/* what the time series covers: a flow that ends by count ends when its source does */
static uint64_t flow_ns(const struct flow *flow)
{
	if (flow->spec->packets && flow->done_ns && flow->done_ns < flow->stop_ns)
		return flow->done_ns - flow->start_ns;
	return flow->stop_ns - flow->start_ns;
}

static void report_series(const struct run *run, const struct flow *flow)
{
	double ratio = wire_ratio(flow);
	uint64_t i, n = flow_ns(flow) / run->step_ns;

	printf("{\"type\":\"series\",\"name\":\"%s\",\"step_ns\":%llu,\"wire_bytes\":[",
	       flow->name, (unsigned long long)run->step_ns);
	for (i = 0; i < n && i < flow->n_bins; i++)
		printf("%s%.0f", i ? "," : "", flow->bins[i] * ratio);
	printf("]}\n");
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* values are sorted */
static double percentile_us(const struct values *values, double p)
{
	uint32_t i = values->n * p;

	if (!values->n)
		return 0;
	return values->v[i < values->n ? i : values->n - 1] / 1000.0;
}

static void report_udp(const struct flow *flow)
{
	printf(",\"sent\":%llu,\"enobufs\":%llu,\"eperm\":%llu,\"eagain\":%llu,\"received\":%llu,"
	       "\"received_bytes\":%llu,\"received_wire_bytes\":%.0f,\"received_ce\":%llu",
	       (unsigned long long)flow->sent, (unsigned long long)flow->enobufs,
	       (unsigned long long)flow->eperm, (unsigned long long)flow->eagain,
	       (unsigned long long)flow->received, (unsigned long long)flow->received_bytes,
	       flow->received_bytes + (double)flow->received * flow_header_bytes(flow),
	       (unsigned long long)flow->received_ce);
	if (flow->spec->gaps)
		printf(",\"gap_p5_us\":%.1f,\"gap_p50_us\":%.1f,\"gap_p95_us\":%.1f,"
		       "\"gap_p99_us\":%.1f",
		       percentile_us(&flow->latency, .05), percentile_us(&flow->latency, .5),
		       percentile_us(&flow->latency, .95), percentile_us(&flow->latency, .99));
}

static void report_tcp(const struct flow *flow)
{
	const struct tcp_info *tx = &flow->tx_info;

	printf(",\"cc\":\"%s\",\"connected\":%s,\"retrans\":%u,\"spurious\":%u,\"lost\":%u,"
	       "\"delivered_ce\":%u,\"rtt_us\":%u,\"rtt_min_us\":%u,\"mss\":%u,\"segs\":%u",
	       flow->spec->cc ? flow->spec->cc : "default", flow->connected ? "true" : "false",
	       tx->tcpi_total_retrans, tx->tcpi_dsack_dups, tx->tcpi_lost, tx->tcpi_delivered_ce,
	       tx->tcpi_rtt, tx->tcpi_min_rtt, tx->tcpi_snd_mss, flow->rx_info.tcpi_data_segs_in);
}

static void report_flow(struct run *run, struct flow *flow)
{
	static const char *const protos[] = {"tcp", "udp", "rr"};
	uint64_t whole = flow_ns(flow);

	qsort(flow->latency.v, flow->latency.n, sizeof(uint64_t), compare);
	printf("{\"type\":\"flow\",\"name\":\"%s\",\"group\":\"%s\",\"proto\":\"%s\",\"family\":%d,"
	       "\"sport\":%u,\"dport\":%u,\"seconds\":%.3f,\"bytes\":%llu,\"goodput_bps\":%.0f,"
	       "\"wire_bps\":%.0f,\"late_bps\":%.0f,\"first_second_bps\":%.0f,\"error\":\"%s\"",
	       flow->name, flow->spec->group, protos[flow->spec->kind],
	       flow->spec->addr.ss_family == AF_INET ? 4 : 6, flow->sport,
	       ntohs(((struct sockaddr_in *)&flow->spec->addr)->sin_port), whole / (double)SEC,
	       (unsigned long long)flow->bytes, flow->bytes * 8.0 * SEC / whole,
	       flow->bytes * wire_ratio(flow) * 8 * SEC / whole,
	       bps_between(run, flow, run->after_ns, whole),
	       bps_between(run, flow, 0, whole < SEC ? whole : SEC),
	       flow->error ? strerror(flow->error) : "");
	if (flow->spec->kind == KIND_UDP)
		report_udp(flow);
	else
		report_tcp(flow);
	if (flow->spec->kind == KIND_RR)
		printf(",\"count\":%u,\"censored\":%u,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f",
		       flow->latency.n, flow->censored, percentile_us(&flow->latency, .5),
		       percentile_us(&flow->latency, .99), percentile_us(&flow->latency, 1));
	printf("}\n");
	if (run->series && flow->spec->kind != KIND_RR)
		report_series(run, flow);
}

/*
 * Jain's index of the group's flows that are there from from_ns to to_ns of the run and began
 * after_ns before; *sum_bps gets their wire rate, *n how many there are.
 */
static double jain(const struct run *run, const char *group, uint64_t from_ns, uint64_t to_ns,
		   double *sum_bps, unsigned int *n)
{
	double sum = 0, squares = 0;
	unsigned int i;

	*n = 0;
	for (i = 0; i < run->n_flows; i++) {
		const struct flow *flow = &run->flows[i];
		uint64_t start = flow->spec->start_ns;
		double bps;

		if (strcmp(flow->spec->group, group) || from_ns < start + run->after_ns ||
		    to_ns > flow->spec->stop_ns)
			continue;
		bps = bps_between(run, flow, from_ns - start, to_ns - start);
		sum += bps;
		squares += bps * bps;
		(*n)++;
	}
	*sum_bps = sum;
	return squares > 0 ? sum * sum / (*n * squares) : 0;
}

/* the time that all flows of a group share, and the time that any of them is there */
struct span {
	uint64_t from_ns, to_ns, first_ns, last_ns;
};

static struct span group_span(const struct run *run, const char *group)
{
	struct span s = {.to_ns = TRAFFIC_NEVER, .first_ns = TRAFFIC_NEVER};
	unsigned int i;

	for (i = 0; i < run->n_specs; i++) {
		const struct spec *spec = &run->specs[i];

		if (strcmp(spec->group, group))
			continue;
		s.from_ns = spec->start_ns > s.from_ns ? spec->start_ns : s.from_ns;
		s.to_ns = spec->stop_ns < s.to_ns ? spec->stop_ns : s.to_ns;
		s.first_ns = spec->start_ns < s.first_ns ? spec->start_ns : s.first_ns;
		s.last_ns = spec->stop_ns > s.last_ns ? spec->stop_ns : s.last_ns;
	}
	s.from_ns += run->after_ns;
	s.first_ns += run->after_ns;
	return s;
}

/* flows may come and go: a window counts those that are there for the whole of it */
static void report_group(const struct run *run, const char *group)
{
	struct span s = group_span(run, group);
	double whole, least = 1, mean = 0, sum, part;
	unsigned int n, windows = 0;
	uint64_t t;

	if (s.from_ns >= s.to_ns)
		return;
	for (t = s.first_ns; t + run->window_ns <= s.last_ns; t += run->window_ns) {
		double j = jain(run, group, t, t + run->window_ns, &part, &n);

		if (!n)
			continue;
		windows++;
		mean += j;
		least = j < least ? j : least;
	}
	whole = jain(run, group, s.from_ns, s.to_ns, &sum, &n);
	printf("{\"type\":\"group\",\"name\":\"%s\",\"flows\":%u,\"late_bps\":%.0f,\"jain\":%.4f,"
	       "\"jain_window_mean\":%.4f,\"jain_window_min\":%.4f}\n",
	       group, n, sum, whole, windows ? mean / windows : whole, windows ? least : whole);
}

void report(struct run *run)
{
	unsigned int i, j;

	for (i = 0; i < run->n_events; i++)
		printf("{\"type\":\"event\",\"begin_ns\":%llu,\"end_ns\":%llu,\"status\":%d}\n",
		       (unsigned long long)(run->events[i].begin_ns - run->t0_ns),
		       (unsigned long long)(run->events[i].end_ns - run->t0_ns),
		       run->events[i].status);
	for (i = 0; i < run->n_flows; i++)
		report_flow(run, &run->flows[i]);
	for (i = 0; i < run->n_specs; i++) {
		for (j = 0; j < i && strcmp(run->specs[j].group, run->specs[i].group); j++)
			;
		if (j == i && run->specs[i].kind != KIND_RR)
			report_group(run, run->specs[i].group);
	}
}
