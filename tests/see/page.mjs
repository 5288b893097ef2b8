// SPDX-License-Identifier: GPL-2.0-only
/*
 * page.mjs: opens the page in headless Chromium, over its debugging pipe, and says what it sees as
 * "KEY VALUE" lines: updates, charts, errors on the console, requests to other hosts, and so on.
 *
 *	node page.mjs URL PROFILE_DIR PICTURE_DIR AGENT_PID
 *
 * After "ready WHAT" it waits for the page to show what its caller then does.
 */
import { spawn } from "node:child_process";
import { get } from "node:http";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

const HOUR = 3600;	/* events: one a second */
const PATIENCE = 80;	/* seconds for them: a busy machine takes as many as it can */
const [url, profile, pictures, agent] = process.argv.slice(2);
const browser = spawn("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
	"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--disable-dev-shm-usage", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"],
	{ stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const [, , , toBrowser, fromBrowser] = browser.stdio;
const waiting = new Map(), errors = [], hosts = new Set();
let next = 0, session, rest = "";

fromBrowser.on("data", data => {
	const messages = (rest + data).split("\0");
	rest = messages.pop();
	for (const message of messages.map(text => JSON.parse(text)))
		if (message.id) {
			waiting.get(message.id)(message);
			waiting.delete(message.id);
		} else {
			heard(message.method, message.params);
		}
});

function heard(method, params) {
	if (method === "Runtime.exceptionThrown")
		errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
	if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type))
		errors.push(params.args.map(arg => arg.value).join(" "));
	if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level))
		errors.push(params.entry.text);
	if (method === "Network.requestWillBeSent" && !params.request.url.startsWith("data:"))
		hosts.add(new URL(params.request.url).host);
}

function call(method, params = {}) {
	const id = ++next;
	toBrowser.write(JSON.stringify({ id, method, params, sessionId: session }) + "\0");
	return new Promise((done, failed) => waiting.set(id, message =>
		message.error ? failed(new Error(`${method}: ${message.error.message}`)) : done(message.result)));
}

async function value(expression) {
	const { result } = await call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
	return result.value;
}

/*
 * True when it becomes so; looks again as soon as the page has changed or drawn. So long is enough
 * where nothing else runs: who has a part of a CPU has four times as long.
 */
function becomes(expression, seconds) {
	return value(`new Promise(done => {
		const end = performance.now() + ${seconds} * 4000;
		const look = () => { try { if (${expression}) return done(true); } catch {}
			if (performance.now() > end) return done(false);
			setTimeout(look, 50); };
		look();
	})`);
}

async function picture(name, width, height, scheme) {
	await call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 500 });
	await call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
	await value("new Promise(done => setTimeout(done, 300))");
	const { data } = await call("Page.captureScreenshot", { format: "png" });
	writeFileSync(`${pictures}/${name}.png`, Buffer.from(data, "base64"));
}

async function press(key, code, text) {
	for (const type of ["keyDown", "keyUp"])
		await call("Input.dispatchKeyEvent", { type, key, code, windowsVirtualKeyCode: key === "Tab" ? 9 : 13,
			...(type === "keyDown" && text ? { text } : {}) });
}

const say = (key, text) => console.log(`${key} ${text}`);
const updates = n => `Number(document.documentElement.dataset.updates) >= ${n}`;
/* read from a copy: to read a canvas itself again and again makes Chromium warn on the console */
const pixels = `canvas => {
	const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
	copy.drawImage(canvas, 0, 0);
	return copy.getImageData(0, 0, canvas.width, canvas.height).data;
}`;
const inked = `[...document.querySelectorAll("canvas")].filter(canvas => (${pixels})(canvas).some(byte => byte)).length`;

/* pixels of the chart that have the colour of that variable, or nearly so */
const coloured = (chart, name) => `(() => {
	const data = (${pixels})(document.querySelector("#chart-${chart} canvas"));
	const hex = getComputedStyle(document.documentElement).getPropertyValue("${name}").trim();
	const want = [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
	let n = 0;
	for (let i = 0; i < data.length; i += 4)
		n += data[i + 3] > 200 && want.every((w, c) => Math.abs(data[i + c] - w) < 24);
	return n;
})()`;

/* the least contrast, by WCAG's definition, of what is written in colours on a card */
const contrast = `(() => {
	const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
	const light = name => {
		const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
		const [r, g, b] = hex.length === 4 ? [1, 2, 3].map(i => parseInt(hex[i] + hex[i], 16)) :
			[1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
		return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
	};
	const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	return Math.min(...["--text", "--dim", "--good", "--held", "--bad", "--mark"].flatMap(name =>
		["--card", "--bg"].map(ground => ratio(light(name), light(ground))))).toFixed(2);
})()`;

/* a class that follows its consumer: what the page shows of it changes with the signal */
async function controlled() {
	const chosen = 'document.querySelector(".class[aria-pressed=true]").textContent';
	const first = 'document.querySelector("#decisions li").textContent';

	say("signal", await becomes(`/queue 5\\.00 ms of 10\\.0 ms: /.test(${chosen})`, 10));
	say("signal-panel", await value('!document.getElementById("panel-signal").hidden'));
	say("ready", "behind");
	say("signal-updates", await becomes(`/queue 50\\.0 ms of 10\\.0 ms: /.test(${chosen})`, 20));
	say("decision", await becomes(`/ bulk: .* → .*bit\\/s, [a-z-]+: ./.test(${first})`, 20));
	say("why", await becomes('/Controller: [a-z-]+: ./.test(document.getElementById("why").textContent)', 10));
	say("drawn-now", await becomes("plots.signal.data[1].at(-1) === 50 && plots.signal.data[2].at(-1) === 10", 10));
	const before = await value(first);
	say("ready", "ahead");
	say("decisions-update", await becomes(`${first} !== ${JSON.stringify(before)}`, 30));
	await becomes(updates(Number(await value("document.documentElement.dataset.updates")) + 3), 10);
	say("signal-inked", await value(coloured("signal", "--level")));
	say("target-inked", await value(coloured("signal", "--limit")));
}

/* another signal, which is no time: in its own unit, on a chart that begins anew */
async function number() {
	const chosen = 'document.querySelector(".class[aria-pressed=true]").textContent';
	const title = 'document.getElementById("signal-title").textContent';

	say("ready", "number");
	say("number", await becomes(`/load 0\\.8 of 0\\.5: /.test(${chosen})`, 20));
	say("number-title", await value(title));
	say("number-drawn", await becomes("plots.signal.data[1].at(-1) === 0.8 && plots.signal.data[2].at(-1) === 0.5", 10));
	say("number-alone", await value("!plots.signal.data[1].some(v => v > 1)"));
	/* a minute has room for 200 pixels or so */
	await becomes(updates(Number(await value("document.documentElement.dataset.updates")) + 10), 20);
	say("number-inked", await value(coloured("signal", "--level")));
	say("ready", "share");
	say("share", await becomes(`/psi cpu [\\d.]+ % of 50 %: /.test(${chosen})`, 20));
	say("share-title", await value(title));
}

/* another stream opened and closed makes the agent look, and tell all pages, at once */
function nudge() {
	return new Promise(done => get(`${url}events`, answer => {
		answer.once("data", () => answer.destroy());
		answer.on("close", done);
		answer.on("error", done);
	}).on("error", done));
}

/* n of them, or what the page takes in that time: how many */
async function events(n, seconds) {
	const updates = async () => Number(await value("document.documentElement.dataset.updates"));
	const from = await updates(), end = performance.now() + seconds * 1000;
	let seen = 0;
	for (; seen < n && performance.now() < end; seen = await updates() - from)
		for (let i = 0; i < 20; i++)
			await nudge();
	return seen;
}

async function size() {
	await call("HeapProfiler.collectGarbage");
	const { metrics } = await call("Performance.getMetrics");
	const of = name => metrics.find(metric => metric.name === name).value;
	return { heap: of("JSHeapUsedSize"), nodes: of("Nodes"), listeners: of("JSEventListeners"),
		rss: Number(readFileSync(`/proc/${agent}/status`, "utf8").match(/VmRSS:\s*(\d+)/)[1]),
		fds: readdirSync(`/proc/${agent}/fd`).length };
}

/* as many events as an hour brings, as fast as the page takes them: nothing grows */
async function hour() {
	await call("Performance.enable");
	await events(400, PATIENCE);	/* more than the charts keep */
	const before = await size(), began = performance.now();
	say("hour-events", await events(HOUR, PATIENCE));
	say("hour-took", ((performance.now() - began) / 1000).toFixed(1));
	const after = await size();
	say("hour-is", JSON.stringify({ before, after }));
	say("hour-heap", after.heap - before.heap);
	say("hour-nodes", after.nodes - before.nodes);
	say("hour-listeners", after.listeners - before.listeners);
	say("hour-rss", after.rss - before.rss);
	say("hour-fds", after.fds - before.fds);
	/* classes that come and go leave nothing behind */
	say("gone", await value(`(() => {
		for (let i = 0; i < 300; i++)
			events.onmessage({ data: JSON.stringify({ ...last, classes: last.classes.map(c =>
				c.class === "rpc" ? { ...c, class: "rpc" + i } : c) }) });
		return [cards.size, history.size, document.querySelectorAll(".class").length].join();
	})()`));
	say("gap", await value(`(() => {
		events.onmessage({ data: JSON.stringify({ ...last, at_ms: last.at_ms + 60000 }) });
		return history.get(chosen).slice(-3).map(row => row[1] === null).join();
	})()`));
}

async function look() {
	const { targetInfos } = await call("Target.getTargets");
	const { targetId } = targetInfos.find(target => target.type === "page");
	({ sessionId: session } = await call("Target.attachToTarget", { targetId, flatten: true }));
	for (const domain of ["Runtime", "Log", "Network", "Page"])
		await call(`${domain}.enable`);
	await call("Page.navigate", { url });
	say("updates", await becomes(updates(3), 20));
	await becomes(updates(14), 20);
	say("goes-on", await becomes(updates(Number(await value("document.documentElement.dataset.updates")) + 2), 10));
	say("charts", await value(inked));
	say("keys", await value('document.getElementById("keys-rate").textContent'));
	say("sparks", await value('[...document.querySelectorAll(".spark .line")].filter(p => p.getAttribute("d")).length'));
	say("classes", await value('document.querySelectorAll(".class").length'));
	say("flows", await value('document.querySelectorAll("#flows tr").length'));
	say("busiest", await value('document.querySelector(".class[aria-pressed=true] .name").textContent'));
	say("status", await value('document.getElementById("link").textContent'));
	await controlled();
	await picture("page", 1200, 1080, "light");
	const ground = 'getComputedStyle(document.body).backgroundColor';
	const light = await value(ground);
	say("contrast-light", await value(contrast));
	await picture("dark", 1200, 1080, "dark");
	say("contrast-dark", await value(contrast));
	say("dark-is-another", await value(ground) !== light);
	say("dark-chart", await value(coloured("signal", "--limit")));
	await picture("phone", 390, 844, "light");
	say("phone-fits", await value("document.documentElement.scrollWidth <= innerWidth"));
	await picture("narrow", 320, 568, "light");
	say("narrow-fits", await value("document.documentElement.scrollWidth <= innerWidth"));
	say("narrow-charts", await value('[...document.querySelectorAll("canvas")].every(c => c.getBoundingClientRect().right <= innerWidth)'));
	await number();
	/* by keyboard: to the first class that can be chosen, and choose it */
	await press("Tab", "Tab");
	await press("Enter", "Enter", "\r");
	say("by-keyboard", await value('document.querySelector(".class[aria-pressed=true] .name").textContent'));
	say("no-signal-no-panel", await becomes('document.getElementById("panel-signal").hidden', 5));
	say("focus-is-seen", await value('getComputedStyle(document.activeElement).outlineStyle'));
	await becomes(updates(Number(await value("document.documentElement.dataset.updates")) + 2), 10);
	say("focus-stays", await value('document.activeElement.querySelector(".name")?.textContent'));
	for (let i = 0; i < 30 && await value('document.activeElement.textContent') !== "Marked"; i++)
		await press("Tab", "Tab");
	await press("Enter", "Enter", "\r");
	say("sorted-by-keyboard", await value('document.querySelector("th[aria-sort]").textContent'));
	await hour();
	say("errors", errors.length ? JSON.stringify(errors) : "none");
	say("hosts", [...hosts].join(" "));
}

const end = setTimeout(() => { say("timeout", "yes"); browser.kill(); process.exit(1); }, 830000);
try {
	await look();
	/* what follows may say that the connection is lost: that is its task */
	say("ready", "for-loss");
	say("lost", await becomes('document.getElementById("link").classList.contains("lost")', 20));
} finally {
	clearTimeout(end);
	browser.kill();
}
