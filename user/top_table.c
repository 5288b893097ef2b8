// SPDX-License-Identifier: GPL-2.0-only
/*
 * top_table.c: columns that fit the width of the screen, bars, and numbers as short as they get.
 * Draws through curses; knows nothing of maps or of what the columns mean.
 */
#include <arpa/inet.h>
#include <curses.h>
#include <stdio.h>
#include <string.h>
#include "address.h"
#include "quantity.h"
#include "signals.h"
#include "top.h"

void top_color_on(const struct top *top, enum top_color color)
{
	static const attr_t mono[] = { [TOP_HELD] = A_BOLD, [TOP_BAD] = A_BOLD,
				       [TOP_MARK] = A_BOLD };

	if (top->colors && color != TOP_PLAIN && color != TOP_DIM)
		attron(COLOR_PAIR(color));
	else if (!top->colors && color < ARRAY_SIZE(mono))
		attron(mono[color]);
	if (color == TOP_DIM)
		attron(A_DIM);
}

void top_color_off(void)
{
	attrset(A_NORMAL);
}

/* without the blank and the rest of the unit behind its prefix */
static void shorten(char cell[TOP_CELL], const char *text, int unit_letters)
{
	const char *blank = strchr(text, ' ');
	int n = blank ? blank - text : (int)strlen(text);

	snprintf(cell, TOP_CELL, "%.*s%.*s", n, text, blank ? unit_letters : 0,
		 blank ? blank + 1 : "");
}

void top_rate(char cell[TOP_CELL], __u64 bps)
{
	shorten(cell, quantity_rate_show(bps).text, bps >= 1000);
}

void top_time(char cell[TOP_CELL], __u64 ns)
{
	shorten(cell, quantity_time_show(ns).text, ns ? 2 : 0);
}

void top_count(char cell[TOP_CELL], __u64 count)
{
	shorten(cell, quantity_size_show(count).text, count >= 1000);
}

void top_signal(char cell[TOP_CELL], const char *words, __u64 value, bool is_time)
{
	if (is_time)
		top_time(cell, value);
	else
		snprintf(cell, TOP_CELL, "%s", signal_show(words, value, false).text);
}

void top_address(char cell[TOP_CELL], const struct weir_flow_key *key, bool dst)
{
	const __u8 *addr = dst ? key->dst : key->src;
	char text[ADDRESS_BYTES];
	unsigned int port = ntohs(dst ? key->dport : key->sport);

	address_put(text, addr, key->family);
	if (!port && key->proto != IPPROTO_TCP && key->proto != IPPROTO_UDP)
		snprintf(cell, TOP_CELL, "%s", text);
	else
		snprintf(cell, TOP_CELL, key->family == 4 ? "%s:%u" : "[%s]:%u", text, port);
}

static void put_ascii(const char *text, int n)
{
	for (; *text && n; text++, n--)
		addch((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f ? '?' :
		      (chtype)*text);
}

void top_text(int y, int x, enum top_color color, const char *text)
{
	if (y < 0 || y >= LINES || x < 0 || x >= COLS)
		return;
	move(y, x);
	if (color == TOP_DIM)
		attron(A_DIM);
	put_ascii(text, COLS - x);
	if (color == TOP_DIM)
		attroff(A_DIM);
}

/* so many thousandths of the width, in eighths of a cell where the terminal can show them */
static void put_bar(const struct top *top, int width, int permille)
{
	static const char *const eighths[] = { " ", "\u258f", "\u258e", "\u258d", "\u258c",
					       "\u258b", "\u258a", "\u2589", "\u2588" };
	int full = permille < 0 ? 0 : permille * width * 8 / 1000;

	for (int i = 0; i < width; i++, full -= 8) {
		if (permille < 0)
			addch(' ');
		else if (!top->utf8)
			addch(full >= 4 ? '#' : '.');
		else if (full <= 0)
			addstr("\u00b7");
		else
			addstr(eighths[full > 8 ? 8 : full]);
	}
}

/* the columns that fit, the most important first; what is left goes to those that need it */
static void widths_find(const struct top_column *columns, unsigned int n_columns,
			const struct top_row *rows, unsigned int n_rows, int widths[TOP_COLUMNS])
{
	int left = COLS + 1;
	bool fits = true;

	memset(widths, 0, TOP_COLUMNS * sizeof(*widths));
	for (int keep = 0; keep < TOP_COLUMNS && fits; keep++)
		for (unsigned int c = 0; c < n_columns; c++) {
			if (columns[c].keep != keep)
				continue;
			fits = columns[c].width < left;
			if (!fits && keep)
				break;
			widths[c] = fits ? columns[c].width : COLS;
			left -= widths[c] + 1;
		}
	for (unsigned int c = 0; c < n_columns && left > 0; c++) {
		int want = columns[c].bar ? columns[c].most : 0, more;

		for (unsigned int r = 0; r < n_rows; r++)
			if ((int)strlen(rows[r].cells[c]) > want)
				want = strlen(rows[r].cells[c]);
		if (want > columns[c].most)
			want = columns[c].most;
		more = widths[c] && want > widths[c] ? want - widths[c] : 0;
		if (more > left)
			more = left;
		widths[c] += more;
		left -= more;
	}
}

/* a text that is too long loses its middle: both ends of an address tell more */
static void put_cell(const char *text, int width, bool right)
{
	int n = strlen(text), head = (width - 1) / 2;

	if (n > width && width > 8) {
		put_ascii(text, head);
		addch('~');
		put_ascii(text + n - (width - head - 1), width);
		return;
	}
	for (int i = n; right && i < width; i++)
		addch(' ');
	put_ascii(text, width);
	for (int i = n; !right && i < width; i++)
		addch(' ');
}

static void put_row(const struct top *top, const struct top_column *columns,
		    unsigned int n_columns, const int *widths, const struct top_row *row, int y)
{
	int x = 0;

	for (unsigned int c = 0; c < n_columns; c++) {
		if (!widths[c])
			continue;
		move(y, x);
		if (row)
			top_color_on(top, row->colors[c]);
		else
			attron(A_UNDERLINE);
		if (row && row->chosen)
			attron(A_REVERSE);
		if (row && columns[c].bar)
			put_bar(top, widths[c], row->permille);
		else
			put_cell(row ? row->cells[c] : columns[c].title, widths[c],
				 columns[c].right);
		x += widths[c] + 1;
		if (x <= COLS && (!row || row->chosen))
			addch(' ');
		top_color_off();
	}
}

void top_table(const struct top *top, const struct top_column *columns, unsigned int n_columns,
	       const struct top_row *rows, unsigned int n_rows, int y)
{
	int widths[TOP_COLUMNS];

	widths_find(columns, n_columns, rows, n_rows, widths);
	if (y < LINES)
		put_row(top, columns, n_columns, widths, NULL, y);
	for (unsigned int r = 0; r < n_rows && y + 1 + (int)r < LINES; r++) {
		if (rows[r].note[0])
			top_text(y + 1 + r, 2, TOP_DIM, rows[r].note);
		else
			put_row(top, columns, n_columns, widths, &rows[r], y + 1 + r);
	}
}
