// SPDX-License-Identifier: GPL-2.0-only
/*
 * page.mjs: opens the page in headless Chromium, over its debugging pipe, and says what it sees as
 * "KEY VALUE" lines: updates, charts, errors on the console, requests to other hosts, and so on.
 *
 *	node page.mjs URL PROFILE_DIR PICTURE_DIR
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";

const [url, profile, pictures] = process.argv.slice(2);
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

/* true when it becomes so; looks again as soon as the page has changed or drawn */
function becomes(expression, seconds) {
	return value(`new Promise(done => {
		const end = performance.now() + ${seconds} * 1000;
		const look = () => { try { if (${expression}) return done(true); } catch {}
			if (performance.now() > end) return done(false);
			setTimeout(look, 50); };
		look();
	})`);
}

async function picture(name, width, height, scheme) {
	await call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 500 });
	await call("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
	await becomes("false", 0.3);
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
const inked = `[...document.querySelectorAll("canvas")].filter(canvas => {
	const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
	return data.some(byte => byte);
}).length`;

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
	say("classes", await value('document.querySelectorAll(".class").length'));
	say("flows", await value('document.querySelectorAll("#flows tr").length'));
	say("busiest", await value('document.querySelector(".class[aria-pressed=true] .name").textContent'));
	say("status", await value('document.getElementById("link").textContent'));
	await picture("page", 1200, 900, "light");
	await picture("dark", 1200, 900, "dark");
	await picture("phone", 390, 844, "light");
	say("phone-fits", await value("document.documentElement.scrollWidth <= innerWidth"));
	/* by keyboard: to the first class that can be chosen, and choose it */
	await press("Tab", "Tab");
	await press("Enter", "Enter", "\r");
	say("by-keyboard", await value('document.querySelector(".class[aria-pressed=true] .name").textContent'));
	say("focus", await value('document.activeElement.className'));
	say("errors", errors.length ? JSON.stringify(errors) : "none");
	say("hosts", [...hosts].join(" "));
}

const end = setTimeout(() => { say("timeout", "yes"); browser.kill(); process.exit(1); }, 90000);
try {
	await look();
	/* what follows may say that the connection is lost: that is its task */
	say("ready", "for-loss");
	say("lost", await becomes('document.getElementById("link").classList.contains("lost")', 20));
} finally {
	clearTimeout(end);
	browser.kill();
}
