// The part of the page that shows the cluster: told by the node it came from, every second and whenever something happens.

const SILENCE = 6_000; // without a word for so long, the node is lost
const RETRY = 3_000; // between attempts to reach it, where the browser has given up or waits for nothing
const SPAN = 120_000; // what the small curves show

const byId = (id) => document.getElementById(id);

// -- Listening

let source = null;
let heardAt = 0;
let askedAt = 0;
let own = "this node";

function listen() {
  source?.close();
  askedAt = performance.now();
  source = new EventSource("/v1/cluster/events");
  source.onmessage = (event) => {
    heardAt = performance.now();
    link("live", "live");
    show(JSON.parse(event.data));
  };
  source.onerror = lose;
}

function lose() {
  if (document.body.dataset.link === "lost") return;
  const since = new Date(Date.now() - (heardAt ? performance.now() - heardAt : 0)).toLocaleTimeString("en-GB");
  document.title = `lost · ${own} · Tidings`;
  link("lost", heardAt ? `${own} does not answer: this is how it was at ${since}` : "this node does not answer");
}

function link(state, words) {
  document.body.dataset.link = state;
  byId("link").dataset.state = state;
  say(byId("link"), words);
}

// A node that hangs closes nothing: silence tells.
setInterval(() => {
  const now = performance.now();
  if (now - Math.max(heardAt, askedAt) > SILENCE) lose();
  const isDead = source.readyState === EventSource.CLOSED;
  if (now - askedAt > (isDead ? RETRY : SILENCE) && (isDead || now - heardAt > SILENCE)) listen();
}, 1_000);

// -- Showing

/** Changes the page only where something changed: nothing flickers, nothing is read aloud twice. */
function say(element, words) {
  if (element.textContent !== words) element.textContent = words; // never markup: names come from nodes
}

function mark(element, name, value) {
  if (value === undefined) delete element.dataset[name];
  else if (element.dataset[name] !== String(value)) element.dataset[name] = value;
}

/** One child of `parent` for each of `items`, in their order; what stays is kept. */
function each(parent, items, key, make, fill) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, place) => {
    const name = String(key(item));
    const child = known.get(name) ?? make(item);
    child.dataset.key = name;
    known.delete(name);
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
    fill(child, item);
  });
  for (const child of known.values()) child.remove();
}

function element(tag, className, words = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = words;
  return made;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const NONE = "–";

function count(value) {
  if (value === undefined || value === null) return NONE;
  return value < 100_000 ? whole.format(value) : compact.format(value);
}

function rate(value) {
  if (value === undefined || value === null) return NONE;
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}

/** Latencies come as the upper bound of the bucket they fall into. */
function duration(milliseconds) {
  if (milliseconds === undefined) return NONE;
  if (milliseconds >= 30_000) return "> 10 s";
  return milliseconds < 1000 ? `≤ ${milliseconds} ms` : `≤ ${milliseconds / 1000} s`;
}

function age(seconds) {
  if (seconds === undefined) return NONE;
  const units = [[86_400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const first = units.findIndex(([length]) => seconds >= length);
  if (first < 0) return "0s";
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % units[first][0]) / next[0]) : 0;
  return `${Math.floor(seconds / units[first][0])}${units[first][1]}${rest ? ` ${rest}${next[1]}` : ""}`;
}

function bytes(value) {
  if (value === undefined) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (value >= 1000 && power < units.length - 1) { value /= 1000; power += 1; }
  return `${power && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

const many = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

function show(status) {
  const { cluster, totals } = status;
  const nodes = status.nodes ?? [];
  const shards = status.shards ?? [];
  const here = nodes[0]; // whoever tells comes first
  own = here?.name ?? own;
  say(byId("node"), own);
  say(byId("cluster"), cluster.id ?? "not born yet");
  showHealth(cluster, nodes, totals);
  const sorted = [...nodes].sort((a, b) => (a.role === "edge") - (b.role === "edge") || a.name.localeCompare(b.name, "en", { numeric: true }));
  const hues = huesOf(nodes, shards);
  showNodes(sorted, here, hues);
  showShards(shards, new Map(nodes.map((node) => [node.id, node])), hues);
  showTransports(nodes, totals);
  showTotals(totals);
}

// -- At a glance

function showHealth(cluster, nodes, totals) {
  byId("verdict").dataset.state = cluster.state;
  say(byId("health"), cluster.state);
  const alive = nodes.filter((node) => node.state === "alive").length;
  say(byId("summary-nodes"), `${alive === nodes.length ? "" : `${alive} of `}${many(nodes.length, "node")} alive`);
  const parts = [];
  if (cluster.shards) parts.push(`${many(cluster.shards, "shard")}${cluster.replicas > 1 ? ` × ${cluster.replicas}` : ""}`);
  parts.push(many(totals.topics, "topic"));
  say(byId("summary-shards"), parts.join(" · "));
  const why = cluster.why ?? [];
  byId("why").hidden = why.length === 0;
  each(byId("why"), why, (reason) => reason, () => element("li"), say);
  document.title = cluster.state === "healthy" ? `${own} · Tidings` : `${cluster.state} · ${own} · Tidings`;
}

const samples = [];

function showTotals(totals) {
  const slowest = Object.entries(totals.latency ?? {}).sort(([, a], [, b]) => b.p99 - a.p99 || b.p50 - a.p50)[0];
  const now = Date.now();
  samples.push({ at: now, publish: totals.publishRate, deliver: totals.deliverRate, client: totals.connections, latency: slowest?.[1].p99 });
  while (samples[0].at < now - SPAN - 2_000) samples.shift();

  say(byId("publish-rate"), rate(totals.publishRate));
  say(byId("publish-note"), `${count(totals.published)} so far`);
  say(byId("deliver-rate"), rate(totals.deliverRate));
  say(byId("deliver-note"), `${count(totals.delivered)} so far`);
  say(byId("connections"), count(totals.connections));
  say(byId("behind"), totals.behind > 0 ? `${count(totals.behind)} behind` : "nobody behind");
  byId("behind").classList.toggle("alarm", totals.behind > 0);
  say(byId("latency"), duration(slowest?.[1].p99));
  say(byId("latency-note"), slowest ? `p50 ${duration(slowest[1].p50)}` : "nothing delivered lately");
  say(byId("latency-over"), slowest ? ` · ${TRANSPORTS[slowest[0]] ?? slowest[0]}` : "");
  for (const name of ["publish", "deliver", "client", "latency"]) curve(byId(`${name}-spark`), name, now);
}

/** A line for each stretch without a hole; the newest sample is at the right end. */
function curve(picture, name, now) {
  const top = Math.max(1, ...samples.map((sample) => sample[name] ?? 0)) * 1.08;
  let line = "";
  let area = "";
  let start = null;
  let last = null;
  const end = () => { if (start !== null) area += `V32H${start}Z`; start = last = null; };
  for (const sample of samples) {
    if (sample[name] === undefined || (last && sample.at - last > SILENCE)) end();
    if (sample[name] === undefined) continue;
    const x = (120 * (1 - (now - sample.at) / SPAN)).toFixed(2);
    const y = (31 - 30 * sample[name] / top).toFixed(2);
    line += `${start === null ? "M" : "L"}${x} ${y}`;
    area += start === null ? `M${x} 32V${y}` : `L${x} ${y}`;
    start ??= x;
    last = sample.at;
  }
  end();
  picture.querySelector(".line").setAttribute("d", line);
  picture.querySelector(".area").setAttribute("d", area);
}

// -- Nodes

/** A colour for each node that has shards, the same on every page: by its identity. */
function huesOf(nodes, shards) {
  const ids = new Set(nodes.filter((node) => node.role !== "edge").map((node) => node.id));
  for (const shard of shards) for (const replica of shard.replicas ?? []) ids.add(replica.node);
  return new Map([...ids].sort().map((id, place) => [id, place % 8]));
}

const TRANSPORTS = { websocket: "WebSocket", sse: "SSE", ndjson: "NDJSON", longpoll: "long-poll", mqtt: "MQTT", http: "HTTP" };

const FIGURES = [
  ["Up", (node) => age(node.uptime)],
  ["Leads", (node) => count(node.shards?.leader)],
  ["Follows", (node) => count(node.shards?.follower)],
  ["Published /s", (node) => rate(node.rates?.published)],
  ["Delivered /s", (node) => rate(node.rates?.delivered)],
  ["Behind", (node) => count(node.behind)],
  ["Clients", (node) => count(node.connections?.total)],
];

function makeNode() {
  const row = element("tr");
  row.setAttribute("role", "row");
  const head = element("th");
  head.setAttribute("role", "rowheader");
  head.scope = "row";
  head.append(element("span", "name"), element("span", "here", "this page"), element("span", "address"));
  row.append(head, element("td", "role"), element("td", "state"));
  for (const [label] of FIGURES) row.append(element("td", "number")), row.lastChild.dataset.label = label;
  row.append(element("td", "split"));
  for (const cell of row.querySelectorAll("td")) cell.setAttribute("role", "cell");
  return row;
}

function showNodes(nodes, here, hues) {
  each(byId("nodes"), nodes, (node) => node.id, makeNode, (row, node) => {
    mark(row, "state", node.state);
    mark(row, "name", node.name);
    const name = row.querySelector(".name");
    say(name, node.name);
    mark(name, "hue", hues.get(node.id));
    row.querySelector(".here").hidden = node !== here;
    say(row.querySelector(".address"), node.http ?? "");
    say(row.querySelector(".role"), node.role);
    say(row.querySelector(".state"), node.state);
    row.querySelectorAll(".number").forEach((cell, place) => {
      const words = FIGURES[place][1](node);
      say(cell, words);
      cell.classList.toggle("absent", words === NONE);
      cell.classList.toggle("late", FIGURES[place][0] === "Behind" && node.behind > 0);
    });
    const split = Object.entries(TRANSPORTS).filter(([kind]) => node.connections?.[kind] > 0);
    say(row.querySelector(".split"), split.map(([kind, label]) => `${count(node.connections[kind])}\u00a0${label}`).join(" · "));
  });
}

// -- Shards

function makeShard() {
  const cell = element("li");
  const pips = element("span", "pips");
  pips.setAttribute("aria-hidden", "true");
  cell.append(element("span", "leader"), element("span", "id"), element("span", "status"), pips, element("span", "unseen"));
  return cell;
}

/** What is known of a replica: what only the leader knows is not there without one. */
function conditionOf(replica, shard, nodes) {
  const state = nodes.get(replica.node)?.state;
  if (state === "dead" || state === "left") return "dead";
  if (replica.lag === undefined) return "unknown";
  return replica.lag > 0 || replica.role === "learner" ? "behind" : "level";
}

function showShards(shards, nodes, hues) {
  const nameOf = (id) => nodes.get(id)?.name ?? id;
  const isLed = (shard) => shard.leader && nodes.get(shard.leader)?.state !== "dead";
  const stateOf = (shard) => (isLed(shard) || shard.state === "stalled" ? shard.state : "electing");
  const wrong = ["stalled", "electing", "under-replicated"].map((state) => [shards.filter((shard) => stateOf(shard) === state).length, state]).filter(([number]) => number > 0);
  say(byId("shards-note"), wrong.map(([number, state]) => `${number} ${state}`).join(", ") || (shards.length === 0 ? "none yet" : "all led, all replicas there"));
  each(byId("shards"), shards, (shard) => shard.id, makeShard, (cell, shard) => {
    const leader = isLed(shard) ? nameOf(shard.leader) : "no leader";
    mark(cell, "state", stateOf(shard));
    mark(cell, "leader", isLed(shard) ? leader : "");
    mark(cell, "hue", isLed(shard) ? hues.get(shard.leader) : undefined);
    const replicas = shard.replicas ?? [];
    const lag = Math.max(0, ...replicas.map((replica) => replica.lag ?? 0));
    say(cell.querySelector(".leader"), leader);
    say(cell.querySelector(".id"), String(shard.id));
    const words = cell.dataset.state === "ok" ? (lag > 0 ? `lag ${count(lag)}` : `term ${shard.term}`) : cell.dataset.state;
    say(cell.querySelector(".status"), words);
    each(cell.querySelector(".pips"), replicas, (replica) => replica.node, () => element("span", "pip"), (pip, replica) => {
      mark(pip, "hue", hues.get(replica.node));
      mark(pip, "is", conditionOf(replica, shard, nodes));
      pip.classList.toggle("leads", replica.node === shard.leader);
    });
    const list = replicas.map((replica) => `${nameOf(replica.node)}${replica.role === "learner" ? " (learner)" : ""}${replica.lag === undefined ? "" : `, lag ${whole.format(replica.lag)}`}`);
    const text = `term ${shard.term}, ${shard.state}, committed ${whole.format(shard.committed)}, replicas: ${list.join("; ")}`;
    say(cell.querySelector(".unseen"), text);
    const title = `shard ${shard.id}, led by ${leader}: ${text}`;
    if (cell.title !== title) cell.title = title;
  });
  if (byId("shard-details").open) showRows(shards, nameOf);
  last = { shards, nameOf };
}

let last = { shards: [], nameOf: String };

byId("shard-details").addEventListener("toggle", () => byId("shard-details").open && showRows(last.shards, last.nameOf));

const COLUMNS = [
  ["number", (shard) => shard.id],
  ["", (shard, nameOf) => (shard.leader ? nameOf(shard.leader) : NONE)],
  ["number", (shard) => shard.term],
  ["", (shard) => shard.state],
  ["number", (shard) => whole.format(shard.first)],
  ["number", (shard) => whole.format(shard.committed)],
  ["number", (shard) => bytes(shard.bytes)],
  ["", (shard, nameOf) => (shard.replicas ?? []).map(({ node, lag }) => nameOf(node) + (lag > 0 ? ` −${whole.format(lag)}` : "")).join(", ")],
];

function showRows(shards, nameOf) {
  const make = () => {
    const row = element("tr");
    row.append(...COLUMNS.map(([className]) => element("td", className)));
    return row;
  };
  each(byId("shard-rows"), shards, (shard) => shard.id, make, (row, shard) => {
    COLUMNS.forEach(([, words], place) => say(row.children[place], String(words(shard, nameOf))));
  });
}

// -- Transports

function showTransports(nodes, totals) {
  const kinds = Object.keys(TRANSPORTS)
    .map((kind) => ({ kind, clients: nodes.reduce((sum, node) => sum + (node.connections?.[kind] ?? 0), 0), ...totals.latency?.[kind] }))
    .filter(({ kind, clients }) => kind !== "mqtt" || clients > 0);
  const make = () => {
    const row = element("tr");
    const head = element("th");
    head.scope = "row";
    row.append(head, ...[0, 1, 2].map(() => element("td", "number")));
    return row;
  };
  each(byId("transports"), kinds, ({ kind }) => kind, make, (row, { kind, clients, p50, p99 }) => {
    const words = [TRANSPORTS[kind] + (kind === "http" ? " requests" : ""), count(clients), duration(p50), duration(p99)];
    words.forEach((text, place) => {
      say(row.children[place], text);
      row.children[place].classList.toggle("absent", text === NONE);
    });
  });
}

listen();
