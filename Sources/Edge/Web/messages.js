// The part of the page that publishes and follows.

import { connect } from "/tidings.js";

const SHOWN = 300; // messages kept on the page
const byId = (id) => document.getElementById(id);
const list = byId("list");
const follow = byId("follow");
const publish = byId("publish");

let client = null;
let subscription = null;
let received = 0;
let isHeld = false;
let drawnAt = 0;
let waiting = []; // not shown yet: the page draws once a frame, however fast they come

// -- Follow

follow.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});

// Another transport goes on where this one is: that is what a cursor is for.
follow.elements.transport.addEventListener("change", () => begin(subscription?.cursor));

function begin(cursor) {
  client?.close();
  const { filter, start, transport } = follow.elements;
  const options = cursor ? { cursor } : Object.fromEntries(new URLSearchParams(start.value));
  if (!cursor) clear();
  byId("followed").textContent = "";
  client = connect(location.href, {
    ...(transport.value && { transports: [transport.value] }),
    onStatus: (status) => show(status),
    onError: (error) => say("followed", error.message, "bad"),
  });
  const mine = client;
  const filters = filter.value.split(/[\s,]+/).filter(Boolean);
  const onGap = (gap) => mine === client && add({ gap });
  subscription = client.subscribe(filters, (event) => mine === client && add(event), { ...options, onGap });
}

const NAMES = { websocket: "WebSocket", sse: "Server-Sent Events", longpoll: "long-polling" };

function show({ state, transport, retryIn }) {
  byId("state").dataset.state = state;
  byId("state").textContent = {
    connecting: `connecting over ${NAMES[transport]}`,
    connected: `live over ${NAMES[transport]}`,
    waiting: `lost, again in ${((retryIn ?? 0) / 1000).toFixed(1)} s`,
    closed: "not following",
  }[state];
}

// -- The list

function add(item) {
  if (!item.gap) received += 1;
  waiting.push(item);
  if (waiting.length > SHOWN) waiting.shift();
  if (waiting.length === 1) requestAnimationFrame(draw);
}

function draw() {
  byId("count").textContent = received === 0 ? "none yet" : `${received.toLocaleString("en")} received`;
  byId("cursor").textContent = subscription?.cursor ?? "";
  if (isHeld) return;
  list.querySelector(".empty")?.remove();
  // What comes one by one is seen to come; a flood would only flicker.
  const isCalm = waiting.length < 3 && performance.now() - drawnAt > 300;
  drawnAt = performance.now();
  list.prepend(...waiting.splice(0).reverse().map((item) => row(item, isCalm)));
  while (list.children.length > SHOWN) list.lastElementChild.remove();
}

function row(item, isCalm) {
  const line = document.createElement("li");
  if (item.gap) {
    line.className = "gap";
    line.textContent = `Messages are missing here (${item.gap.reason}${item.gap.skipped ? `, ${item.gap.skipped} of them` : ""}).`;
    return line;
  }
  if (isCalm) line.className = "new";
  const when = element("time", "", new Date(item.time).toLocaleTimeString("en-GB", { hour12: false }));
  when.title = item.time;
  const topic = element("span", "topic", item.topic);
  if (item.type) topic.append(element("span", "tag", item.type));
  if (item.retained) topic.append(element("span", "tag", "current value"));
  line.append(when, element("span", "position", item.position), topic);
  const data = text(item.data);
  if (data !== "") line.append(element("pre", "", data));
  return line;
}

function text(data) {
  if (data === undefined) return "";
  if (data instanceof Uint8Array) return `${data.length} bytes: ${Array.from(data.slice(0, 64), (byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
  return typeof data === "string" ? data : JSON.stringify(data);
}

function element(name, className, content) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = content; // never markup: anyone may have published it
  return made;
}

function clear() {
  received = 0;
  waiting = [];
  const hint = element("div", "empty", "Nothing yet. Publish from here, or from a terminal:");
  hint.append(document.createElement("br"), element("code", "", `curl -d 'hello' ${location.origin}/v1/topics/orders/42`));
  list.replaceChildren(hint);
  byId("count").textContent = "none yet";
  byId("cursor").textContent = "";
}

byId("clear").addEventListener("click", clear);
byId("hold").addEventListener("click", () => {
  isHeld = !isHeld;
  byId("hold").setAttribute("aria-pressed", isHeld);
  byId("hold").textContent = isHeld ? "Go on" : "Hold";
  if (!isHeld && waiting.length > 0) draw();
});

// -- Publish

publish.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { topic, payload, type, retain } = publish.elements;
  try {
    const options = { type: type.value || undefined, retain: retain.checked, contentType: contentType(payload.value) };
    const { position } = await (client ?? connect()).publish(topic.value, payload.value, options);
    say("published", `on disk at ${position}`, "good");
  } catch (error) {
    say("published", error.message, "bad");
  }
});

function contentType(payload) {
  try {
    JSON.parse(payload);
    return "application/json";
  } catch {
    return undefined;
  }
}

function say(where, what, how) {
  byId(where).textContent = what;
  byId(where).className = `said ${how}`;
}

begin();
