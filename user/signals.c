// SPDX-License-Identifier: GPL-2.0-only
/*
 * signals.c: the words of signals and the table of the pushed ones. What comes in is anybody's who
 * may write to the socket: every word is checked, every table bounded. Pure.
 */
#include <stdio.h>
#include <string.h>
#include "quantity.h"
#include "signals.h"

#define MILLION 1000000ULL
#define SLOTS (2 * SIGNALS_MAX)		/* of the hash, a power of two */
#define WORDS_MAX 8

const char *const signal_psi_names[] = { "cpu", "memory", "io", NULL };

const char *const signal_words[] = { "backlog", "rtt", "ce", "loss", "psi", NULL };

static const struct {
	const char *name;
	enum signal_kind kind;
	__u64 target;
	bool is_time;
} built_in[] = {
	{ "backlog", SIGNAL_BACKLOG, 10000000, true },
	{ "rtt", SIGNAL_RTT, 50000000, true },
	{ "ce", SIGNAL_CE, 1 * MILLION, false },
	{ "loss", SIGNAL_LOSS, 1 * MILLION, false },
};

static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_.:@-";

enum signal_kind signal_kind_of(const char *words)
{
	if (!*words)
		return SIGNAL_NONE;
	for (unsigned int i = 0; i < ARRAY_SIZE(built_in); i++)
		if (!strcmp(words, built_in[i].name))
			return built_in[i].kind;
	if (!strcmp(words, "psi") || !strncmp(words, "psi ", 4))
		return SIGNAL_PSI;
	return strstr(words, "://") ? SIGNAL_HTTP : SIGNAL_PUSHED;
}

__u64 signal_target_default(const char *words, bool *ret_is_time)
{
	enum signal_kind kind = signal_kind_of(words);

	*ret_is_time = kind == SIGNAL_HTTP;
	for (unsigned int i = 0; i < ARRAY_SIZE(built_in); i++)
		if (built_in[i].kind == kind) {
			*ret_is_time = built_in[i].is_time;
			return built_in[i].target;
		}
	/* what another machine serves is a backlog unless the user says otherwise */
	return kind == SIGNAL_HTTP ? built_in[0].target : kind == SIGNAL_PSI ? 10 * MILLION : 0;
}

/* what can be in the name or address of a host, with a zone */
static const char host_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_.:-%";

/* a path that a file shows as it reads it */
static bool path_is_plain(const char *path)
{
	unsigned char before = 0;
	char whole[WEIR_PATH_LEN + 2];

	for (const char *c = path; *c; before = *c++)
		if (*c == ' ' || is_control(before, *c))
			return false;
	snprintf(whole, sizeof(whole), "/%s/", path);
	return *path && strlen(path) < WEIR_PATH_LEN && !strstr(whole, "/../");
}

static int name_check(const char *name, struct err *err)
{
	size_t n = strlen(name);

	if (!n || *name == '-' || n != strspn(name, name_chars))
		return err_set(err, EINVAL, "signal '%.80s': want a name of letters, digits and "
			       "_ - . : @, not beginning with -", name);
	if (n >= SIGNAL_NAME_LEN)
		return err_set(err, EINVAL, "signal '%.80s': longer than %d characters", name,
			       SIGNAL_NAME_LEN - 1);
	return 0;
}

enum signal_psi signal_psi_of(const char *words, const char **ret_path)
{
	const char *resource = words + strlen("psi ");
	size_t n = strcspn(resource, " ");

	*ret_path = resource[n] ? resource + n + strlen(" cgroup ") : NULL;
	for (unsigned int i = 0; i < SIGNAL_PSI_COUNT; i++)
		if (strlen(signal_psi_names[i]) == n && !strncmp(resource, signal_psi_names[i], n))
			return i;
	return SIGNAL_PSI_CPU;
}

static int psi_check(const char *words, struct err *err)
{
	char copy[WEIR_SIGNAL_LEN], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", words);
	strsep(&rest, " ");
	word = strsep(&rest, " ");
	if (!word || opts_choice(word, signal_psi_names, err) < 0)
		return err_set(err, EINVAL, "'%s': want psi cpu, psi memory or psi io, and cgroup PATH "
			       "behind it if you like", words);
	if (!rest)
		return 0;
	word = strsep(&rest, " ");
	if (strcmp(word, "cgroup") || !rest || !path_is_plain(rest))
		return err_set(err, EINVAL, "'%s': want cgroup PATH behind the resource, a path below "
			       "the mount of cgroup v2 of at most %d characters", words,
			       WEIR_PATH_LEN - 1);
	return 0;
}

int signal_url_parse(const char *words, struct signal_url *ret, struct err *err)
{
	const char *at = words + strlen("http://"), *end;
	struct signal_url url = {};
	struct err ignored;
	__u64 port;
	char text[8];
	size_t n;

	if (strncmp(words, "http://", strlen("http://")))
		goto bad;
	if (*at == '[') {
		end = strchr(++at, ']');
		if (!end || end[1] != ':')
			goto bad;
		n = end - at;
		end++;
	} else {
		end = strchr(at, ':');
		if (!end)
			goto bad;
		n = end - at;
	}
	if (!n || n >= sizeof(url.host) || strspn(at, host_chars) < n)
		goto bad;
	memcpy(url.host, at, n);
	at = end + 1;
	n = strcspn(at, "/");
	if (!at[n] || n >= sizeof(text))
		goto bad;
	snprintf(text, sizeof(text), "%.*s", (int)n, at);
	if (quantity_count(text, 1, 65535, &port, &ignored) || name_check(at + n + 1, &ignored))
		goto bad;
	url.port = port;
	snprintf(url.name, sizeof(url.name), "%s", at + n + 1);
	*ret = url;
	return 0;
bad:
	return err_set(err, EINVAL, "'%.100s': want http://HOST:PORT/NAME, the NAME of a class or a "
		       "signal there", words);
}

int signal_check(const char *words, struct err *err)
{
	struct signal_url url;

	switch (signal_kind_of(words)) {
	case SIGNAL_PSI:
		return psi_check(words, err);
	case SIGNAL_HTTP:
		return signal_url_parse(words, &url, err);
	case SIGNAL_PUSHED:
		return name_check(words, err);
	case SIGNAL_NONE:
		return err_set(err, EINVAL, "'': want a signal such as backlog");
	default:
		return 0;
	}
}

/* "12.5" in millionths */
static int number(const char *text, size_t n, __u64 *ret)
{
	__u64 value = 0, unit = MILLION;
	size_t i, digits = 0;

	for (i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++, digits++)
		if (value < SIGNAL_VALUE_MAX / 10)
			value = value * 10 + (text[i] - '0');
		else
			return -ERANGE;
	if (!digits || value > SIGNAL_VALUE_MAX / MILLION)
		return digits ? -ERANGE : -EINVAL;
	value *= MILLION;
	if (i < n && text[i] == '.') {
		for (i++, digits = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++, digits++) {
			unit /= 10;
			value += unit * (text[i] - '0');
		}
		if (!digits)
			return -EINVAL;
	}
	if (i != n)
		return -EINVAL;
	*ret = value;
	return 0;
}

int signal_value(const char *text, __u64 *ret_value, bool *ret_is_time, struct err *err)
{
	size_t n = strlen(text);
	__u64 value;
	int r;

	if (quantity_is_time(text)) {
		r = quantity_time(text, 0, SIGNAL_VALUE_MAX, &value, err);
		if (r)
			return r;
		*ret_is_time = true;
	} else {
		r = number(text, n && text[n - 1] == '%' ? n - 1 : n, &value);
		if (r == -ERANGE)
			return err_set(err, EINVAL, "'%.80s': out of range; want at most 10^12",
				       text);
		if (r)
			return err_set(err, EINVAL, "'%.80s': want a time such as 12ms, a number such "
				       "as 0.8 or a share such as 5%%", text);
		*ret_is_time = false;
	}
	*ret_value = value;
	return 0;
}

struct signal_text signal_value_exact(__u64 value, bool is_time)
{
	struct signal_text ret;
	int n;

	if (is_time) {
		snprintf(ret.text, sizeof(ret.text), "%s", quantity_time_exact(value).text);
		return ret;
	}
	n = snprintf(ret.text, sizeof(ret.text), "%llu.%06llu", value / MILLION, value % MILLION);
	while (ret.text[n - 1] == '0')
		ret.text[--n] = '\0';
	if (ret.text[n - 1] == '.')
		ret.text[--n] = '\0';
	return ret;
}

struct signal_text signal_value_show(__u64 value, bool is_time)
{
	struct signal_text ret;

	if (is_time)
		snprintf(ret.text, sizeof(ret.text), "%s", quantity_time_show(value).text);
	else
		snprintf(ret.text, sizeof(ret.text), value < 1000 * MILLION ? "%.4g" : "%.0f",
			 value / 1e6);
	return ret;
}

bool signal_is_share(const char *words)
{
	enum signal_kind kind = signal_kind_of(words);

	return kind == SIGNAL_PSI || kind == SIGNAL_CE || kind == SIGNAL_LOSS;
}

struct signal_text signal_show(const char *words, __u64 value, bool is_time)
{
	struct signal_text ret = signal_value_show(value, is_time);

	if (!is_time && signal_is_share(words))
		strcat(ret.text, "%");
	return ret;
}

static int ttl_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	return quantity_time(word, SIGNAL_TTL_MIN_NS, SIGNAL_TTL_MAX_NS,
			     &((struct signal *)target)->ttl_ns, err);
}

static int drain_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	return quantity_rate(word, &((struct signal *)target)->drain_bps, err);
}

const struct opts_key signal_keys[] = {
	{ "ttl", "TIME", "how long it holds, 10ms to 3600s; 3s", .set = ttl_set },
	{ "drain", "RATE", "what the consumer takes", .set = drain_set },
};
const unsigned int signal_n_keys = ARRAY_SIZE(signal_keys);

int signal_parse(const char *text, struct signal *ret, struct err *err)
{
	struct signal signal = { .ttl_ns = SIGNAL_TTL_DEFAULT_NS };
	char copy[256], *words[WORDS_MAX], *rest = copy, *word;
	unsigned int n = 0;
	int r;

	if (strlen(text) >= sizeof(copy))
		return err_set(err, EINVAL, "longer than %zu characters", sizeof(copy) - 1);
	strcpy(copy, text);
	while ((word = strsep(&rest, " \t\n")))
		if (*word && n < WORDS_MAX)
			words[n++] = word;
	if (n < 2 || n % 2)
		return err_set(err, EINVAL, "want NAME VALUE [ttl TIME] [drain RATE]");
	r = name_check(words[0], err);
	if (!r)
		r = signal_value(words[1], &signal.value, &signal.is_time, err);
	if (!r)
		r = opts_parse(signal_keys, signal_n_keys, n - 2, words + 2, &signal, err);
	if (r)
		return r;
	snprintf(signal.name, sizeof(signal.name), "%s", words[0]);
	signal.clear = !signal.value;
	*ret = signal;
	return 0;
}

struct signals {
	unsigned int n;
	__u64 epoch;
	struct signal slots[SLOTS];	/* open addressing; a free one has no name */
};

struct signals *signals_new(void)
{
	struct signals *signals = calloc(1, sizeof(*signals));

	if (signals)
		signals->epoch = 1;
	return signals;
}

void signals_free(struct signals *signals)
{
	free(signals);
}

/* where the name is or would be; the table is never more than half full */
static unsigned int place(const struct signals *signals, const char *name)
{
	__u32 hash = 2166136261U;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	while (signals->slots[hash % SLOTS].name[0] &&
	       strcmp(signals->slots[hash % SLOTS].name, name))
		hash++;
	return hash % SLOTS;
}

/* rebuilt without those that have long been silent */
static void sweep(struct signals *signals, __u64 now_ns)
{
	struct signals *old = malloc(sizeof(*old));

	if (!old)
		return;
	memcpy(old, signals, sizeof(*old));
	memset(signals, 0, sizeof(*signals));
	signals->epoch = old->epoch + 1;
	for (unsigned int i = 0; i < SLOTS; i++)
		if (old->slots[i].name[0] &&
		    old->slots[i].at_ns + 3 * old->slots[i].ttl_ns > now_ns) {
			signals->slots[place(signals, old->slots[i].name)] = old->slots[i];
			signals->n++;
		}
	free(old);
}

int signals_put(struct signals *signals, const struct signal *signal, __u64 now_ns)
{
	unsigned int at = place(signals, signal->name);

	if (!signals->slots[at].name[0]) {
		if (signals->n >= SIGNALS_MAX)
			sweep(signals, now_ns);
		if (signals->n >= SIGNALS_MAX)
			return -ENOSPC;
		at = place(signals, signal->name);
		signals->n++;
		signals->epoch++;
	}
	signals->slots[at] = *signal;
	signals->slots[at].at_ns = now_ns;
	return 0;
}

__u64 signals_epoch(const struct signals *signals)
{
	return signals->epoch;
}

const struct signal *signals_find(const struct signals *signals, const char *name)
{
	const struct signal *signal = &signals->slots[place(signals, name)];

	return signal->name[0] ? signal : NULL;
}

const struct signal *signals_next(const struct signals *signals, const struct signal *before)
{
	const struct signal *signal = before ? before + 1 : signals->slots;

	for (; signal < signals->slots + SLOTS; signal++)
		if (signal->name[0])
			return signal;
	return NULL;
}
