// Tidings in the browser: publish, and follow topics without losing or repeating a message.
//
//   import { connect } from "/tidings.js";
//   const client = connect();                            // the server this page came from
//   const orders = client.subscribe("orders/+", (event) => console.log(event.topic, event.data));
//   await client.publish("orders/42", { cups: 2 });
//   orders.unsubscribe();
//   const room = client.presence("room/1", (room, { joined, left }) => console.log(room.count, [...room.members.keys()]));
//
// How it works. A subscription is filters, a handler and a cursor: for each shard, the offset up to which it has
// been given everything. A client holds one stream for all its subscriptions, over the best transport that gets
// through (WebSocket, else Server-Sent Events, else long-polling), opened at the smallest of their cursors. What a
// subscription has had already is known by its position and dropped. So every cut, every change of transport and
// everything that comes twice on the wire ends the same way: each handler gets each message once, in order.

const TRANSPORTS = ["websocket", "sse", "longpoll"];
const OPENING = 8_000; // ms a transport has for its first word before the next one is tried
const LISTENING = 20_000; // ms between looks at whether a stream still lives; the server speaks every 15 s
const SETTLING = { first: 60_000, most: 600_000 }; // ms on a lesser transport before a better one is tried again
const BACKOFF = { first: 500, most: 15_000 }; // ms between attempts: anything from nothing to this, doubling
const WAITING = 25; // s one long-poll waits, less than impatient proxies do
const ASKING = 5; // s one long-poll waits where it is to be asked after each who is present
const PUBLISHING = 60_000; // ms for which a publish is tried again
const PASSING = ["overloaded", "disk-full", "unavailable"]; // errors of the socket that may be gone the next time
const LONGEST_URL = 1_800; // characters; longer questions are posted

/** A client of the server at `url`, by default the one this page came from. For the options see `Client`. */
export function connect(url, options) {
  return new Client(url, options);
}

/** Whether `filter` wants `topic`: `+` is one level, a last `#` the rest; at the first level neither reaches `$` names. */
export function matches(filter, topic) {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && (wanted[0] === "+" || wanted[0] === "#")) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return true;
    if (index >= levels.length || (level !== "+" && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

/** The server said no, and would say it again: `problem` has its reason. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? `refused with ${problem.status}`);
    this.problem = problem;
  }
}

/** A place in every shard, written `v1~CLUSTER~SHARD.OFFSET~…`. Offsets have 64 bits, more than a number holds. */
export class Cursor {
  constructor(text) {
    const [version, cluster, ...places] = text.split("~");
    if (version !== "v1" || !cluster) throw new TypeError(`not a cursor: ${text}`);
    this.cluster = cluster;
    this.places = new Map(places.map((place) => place.split(".")).map(([shard, offset]) => [Number(shard), BigInt(offset)]));
  }

  toString() {
    const places = [...this.places].sort(([a], [b]) => a - b).map(([shard, offset]) => `~${shard}.${offset}`);
    return `v1~${this.cluster}${places.join("")}`;
  }

  /** Whether this shard was seen up to `offset`. One that is not named holds nothing that is wanted. */
  has(shard, offset) {
    const place = this.places.get(shard);
    return place === undefined || place >= offset;
  }

  advance(shard, offset) {
    if (!this.has(shard, offset)) this.places.set(shard, offset);
  }

  /** The cursor that is behind each of these, in every shard that any of them names. */
  static smallest(cursors) {
    const smallest = new Cursor(cursors[0].toString());
    for (const [shard, offset] of cursors.flatMap((cursor) => [...cursor.places])) {
      if (!(smallest.places.get(shard) <= offset)) smallest.places.set(shard, offset);
    }
    return smallest;
  }
}

/** Filters, a handler, and the place up to which the handler has been given everything. */
class Subscription {
  place = null; // known once the server has said where it begins
  wire = null; // the name under which the WebSocket knows it; several may share one
  #saving = false;

  constructor(client, filters, handler, options) {
    Object.assign(this, { client, filters, handler, options });
    const stored = options.storage && globalThis.localStorage?.getItem(options.storage);
    const cursor = stored || options.cursor;
    const { since, last, retained } = options;
    // The first of these that is given; none of them: whatever comes from now on.
    this.start = cursor ? { cursor } : retained ? { retained } : last !== undefined ? { last } : since ? { since } : {};
  }

  /** Where it stands. Passed as `cursor` it goes on from there: on any page, any node, any transport. */
  get cursor() {
    return this.place?.toString() ?? this.start.cursor ?? null;
  }

  get beginsNow() {
    return Object.keys(this.start).length === 0;
  }

  unsubscribe() {
    this.client.forget(this);
  }

  wants(topic) {
    return this.filters.some((filter) => matches(filter, topic));
  }

  stand(place) {
    this.place = place;
    this.keep();
  }

  give(event) {
    try {
      this.handler(event, this);
    } catch (error) {
      // A handler's mistake is its own: the stream goes on for the others.
      globalThis.reportError ? reportError(error) : console.error(error);
    }
  }

  /** Stores the cursor, once for all that one frame brought, before anything else of the page runs. */
  keep() {
    if (!this.options.storage || this.#saving) return;
    this.#saving = true;
    queueMicrotask(() => {
      this.#saving = false;
      globalThis.localStorage?.setItem(this.options.storage, this.cursor);
    });
  }
}

/** Who is on one topic: `members` by id, as far as the server lists them, and `count`, which is always right. */
class Room {
  members = new Map();
  count = 0;

  constructor(client, topic, handler, isEntered) {
    Object.assign(this, { client, topic, handler, isEntered });
  }

  /** Be there as the client's `member`. */
  enter() {
    this.isEntered = true;
    this.client.changed(this);
  }

  leave() {
    this.isEntered = false;
    this.client.changed(this);
  }

  /** Leaves, and hears no more of it. */
  close() {
    this.client.closeRoom(this);
  }

  /** A state, or what changed: `joined` came or have other data. */
  take({ count, members, joined = [], left = [] }) {
    if (members) {
      const ids = new Set(members.map(({ id }) => id));
      left = [...this.members.values()].filter(({ id }) => !ids.has(id));
      joined = members.filter((member) => JSON.stringify(this.members.get(member.id)?.data) !== JSON.stringify(member.data) || !this.members.has(member.id));
    }
    for (const { id } of left) this.members.delete(id);
    for (const member of joined) this.members.set(member.id, member);
    this.count = count;
    try {
      this.handler?.(this, { joined, left });
    } catch (error) {
      globalThis.reportError ? reportError(error) : console.error(error);
    }
  }
}

/** One connection's life: whether it ever spoke, when it was last heard, and how it is ended. */
class Stream {
  opened = false;
  delay = null; // ms to wait before the next one, where the server said so
  replaced = false; // ended by us, because something better or something else is wanted
  #abort = new AbortController();
  #timers = [];
  #quiet = 0; // looks since it was last heard

  constructor(index, transport) {
    Object.assign(this, { index, transport });
    this.after(OPENING, () => this.opened || this.end("no answer"));
    this.after(LISTENING, () => this.#look());
  }

  /** Counted in looks, not in time: a page that slept must not take its own sleep for the server's silence. */
  #look() {
    if (this.#quiet > 2) return this.end("silence");
    if (this.#quiet > 0) this.ping?.();
    this.#quiet += 1;
    this.after(LISTENING, () => this.#look());
  }

  get signal() {
    return this.#abort.signal;
  }


  after(milliseconds, action) {
    this.#timers.push(setTimeout(action, milliseconds));
  }

  hear() {
    this.#quiet = 0;
  }

  end(reason) {
    this.#timers.forEach(clearTimeout);
    this.#abort.abort(new Error(reason));
  }
}

/**
 * Options: `transports`, which and in what order; `onStatus({state, transport, node, cluster, retryIn, error})`, where
 * `state` is connecting, connected, waiting or closed; `onError(error, subscription)` for what the server refuses;
 * `member: {id, data}`, who this client is where it is present.
 */
class Client {
  subscriptions = new Set();
  rooms = new Map();
  status = { state: "closed" };
  #stream = null;
  #socket = null; // open, and past its welcome
  #running = false;
  #changed = false;
  #failures = 0;
  #wake = null; // ends the wait between two attempts
  #isAway = false; // the page was left
  #lesser = { index: 0, until: 0, settling: SETTLING.first };
  #published = new Map(); // what awaits its answer on the socket, by reference
  #counter = 0;

  constructor(url = globalThis.location?.href, options = {}) {
    this.base = new URL("/", url);
    this.options = options;
    this.transports = options.transports ?? TRANSPORTS;
    globalThis.addEventListener?.("online", () => this.#wake?.());
    // A page that was left may be kept, to be shown again: nobody reads on it meanwhile, and nobody is there.
    globalThis.addEventListener?.("pagehide", ({ persisted }) => {
      this.#isAway = persisted;
      if (persisted) this.#stream?.end("away");
    });
    globalThis.addEventListener?.("pageshow", ({ persisted }) => {
      this.#isAway = false;
      if (persisted) this.#wake?.();
    });
  }

  /**
   * Follows one filter or several. Options: where to begin: `cursor`, `since` ("earliest", "5m", a time), `last` (so
   * many of each topic), `retained` (current values first); else with what comes from now on. `storage`: a key of
   * localStorage that keeps the cursor from visit to visit. `onGap(gap, subscription)`: messages are gone for good.
   */
  subscribe(filters, handler, options = {}) {
    const subscription = new Subscription(this, [filters].flat(), handler, options);
    this.subscriptions.add(subscription);
    // Several made in one go are sent in one go.
    if (!this.#changed) queueMicrotask(() => this.#admit());
    this.#changed = true;
    return subscription;
  }

  #admit() {
    this.#changed = false;
    if (!this.#running) return void this.#run();
    const added = [...this.subscriptions].filter((subscription) => !subscription.place && !subscription.wire);
    // What begins now joins the open socket; anything older needs the past first, in order, in front of the stream.
    if (this.#socket && added.every((subscription) => subscription.beginsNow)) this.#subscribeOnSocket(added);
    else this.#replace();
  }

  forget(subscription) {
    if (!this.subscriptions.delete(subscription)) return;
    const { wire } = subscription;
    const isShared = [...this.subscriptions].some((other) => other.wire === wire);
    if (this.#socket && wire && !isShared && !this.#isIdle) this.#send({ op: "unsubscribe", id: wire });
    else this.#replace();
  }

  close() {
    this.subscriptions.clear();
    this.rooms.clear();
    this.#replace();
  }

  /**
   * Hears who is on a topic: `handler(room, {joined, left})` with the state first, then whenever somebody comes or goes.
   * With `enter` the client's `member` is there too, as long as the client is connected.
   */
  presence(topic, handler, { enter = false } = {}) {
    const room = new Room(this, topic, handler, enter);
    if (this.rooms.has(topic)) throw new TypeError(`there is a room of '${topic}' already`);
    this.rooms.set(topic, room);
    this.changed(room);
    return room;
  }

  /** Says something else of the client's member, wherever it is. */
  describe(data) {
    this.options.member = { ...this.options.member, data };
    if (!this.#socket) return this.#replace();
    for (const room of this.rooms.values()) if (room.isEntered) this.#enterOnSocket(room);
  }

  /** A room's wishes have changed. */
  changed(room) {
    if (room.isEntered && !this.options.member?.id) throw new TypeError("who enters? connect(url, { member: { id } })");
    if (!this.#running) return void this.#run();
    if (this.#socket) return this.#enterOnSocket(room);
    this.#replace();
  }

  closeRoom(room) {
    if (this.rooms.get(room.topic) !== room) return;
    this.rooms.delete(room.topic);
    if (!this.#socket || this.#isIdle) return this.#replace();
    if (room.isOnSocket) this.#send({ op: "presence", topic: room.topic, leave: true });
    this.#send({ op: "presence", topic: room.topic, events: false });
  }

  #enterOnSocket(room) {
    const { topic, isEntered, isOnSocket } = room;
    room.isOnSocket = isEntered;
    const entering = isEntered ? { member: this.options.member } : isOnSocket ? { leave: true } : {};
    this.#send({ op: "presence", id: `presence ${topic}`, topic, ...entering, events: true });
  }

  get #isIdle() {
    return this.subscriptions.size === 0 && this.rooms.size === 0;
  }

  /** What a stream says of the rooms; a long-poll hears of none, and asks. */
  #roomWishes(isStream) {
    const entered = [...this.rooms.values()].filter((room) => room.isEntered).map((room) => room.topic);
    const { id, data } = this.options.member ?? {};
    return {
      ...(isStream && this.rooms.size > 0 ? { presence: [...this.rooms.keys()] } : {}),
      ...(entered.length > 0 ? { enter: entered, member: id, ...(data === undefined ? {} : { memberData: data }) } : {}),
    };
  }

  /** What a stream is opened with: something to follow there must be, be it the rooms' own topics. */
  streamQuestion({ filters, cursor }, isStream) {
    const question = { ...(cursor ? { cursor } : {}), ...this.#roomWishes(isStream) };
    return [filters.length > 0 ? filters : [...this.rooms.keys()], question];
  }

  /** What came of presence on a stream or a socket. */
  takePresence(message) {
    const room = this.rooms.get(message.topic);
    if (!room || message.events === false) return;
    if (message.code) return this.#refuseRoom(room, message);
    room.take(message);
  }

  #refuseRoom(room, problem) {
    room.isEntered = room.isOnSocket = false;
    const error = new Refused(problem);
    if (this.options.onError) this.options.onError(error, room);
    else console.error(`tidings: ${room.topic}: ${error.message}`);
  }

  /** Where nothing is told, it is asked. */
  async askRooms(stream) {
    await Promise.all([...this.rooms.values()].map(async (room) => {
      const url = new URL(`v1/presence?limit=1000&topic=${encodeURIComponent(room.topic)}`, this.base);
      const state = await (await checked(await fetch(url, { signal: stream.signal, cache: "no-store" }))).json();
      // What a new leader has not been told yet is not gone.
      if (!state.partial) room.take(state);
    }));
  }

  // -- One stream after the other

  async #run() {
    this.#running = true;
    while (!this.#isIdle) {
      const { stream, error } = await this.#follow();
      if (stream.replaced) continue;
      if (error instanceof Refused) {
        for (const subscription of [...this.subscriptions]) this.#refuse(subscription, error);
        for (const room of [...this.rooms.values()]) this.#refuseRoom(room, error.problem);
        this.rooms.clear();
        continue;
      }
      this.#failures = stream.opened ? 0 : this.#failures + 1;
      const wait = stream.delay ?? error?.delay ?? backoff(this.#failures);
      this.#tell({ state: "waiting", transport: undefined, retryIn: Math.round(wait), error });
      await new Promise((resolve) => {
        this.#wake = resolve;
        if (!this.#isAway) setTimeout(resolve, wait);
      });
    }
    this.#running = false;
    this.#tell({ state: "closed", transport: undefined, retryIn: undefined });
  }

  /** Follows over the first transport that gets through, until that ends; says why, if it is known. */
  async #follow() {
    let error;
    const from = Date.now() < this.#lesser.until ? this.#lesser.index : 0;
    for (const [index, transport] of this.transports.entries()) {
      if (index < from) continue;
      const stream = (this.#stream = new Stream(index, transport));
      this.#tell({ state: "connecting", transport, retryIn: undefined, error });
      error = undefined;
      try {
        await TRANSPORT[transport](this, stream);
      } catch (problem) {
        error = problem;
      }
      stream.end("over");
      if (stream.opened || stream.replaced || error instanceof Refused) break;
    }
    return { stream: this.#stream, error };
  }

  // -- For the transports

  /** The first word of a transport: it gets through. */
  opened(stream, facts = {}) {
    stream.hear();
    if (stream.opened) return;
    stream.opened = true;
    this.#tell({ state: "connected", transport: stream.transport, error: undefined, ...facts });
    if (stream.index === 0) {
      this.#lesser = { index: 0, until: 0, settling: SETTLING.first };
      return;
    }
    // What is better was blocked, or the server was just starting: it is tried again, ever less often.
    const settling = this.#lesser.settling;
    this.#lesser = { index: stream.index, until: Date.now() + settling, settling: Math.min(SETTLING.most, settling * 2) };
    stream.after(settling, () => this.#replace());
  }

  /** Gives every subscription its beginning: past messages or current values first, then the cursor to go on from. */
  async begin(stream, without = () => false) {
    const waiting = [...this.subscriptions].filter((subscription) => !subscription.place && !without(subscription));
    await Promise.all(waiting.map(async (subscription) => {
      try {
        const answer = await this.ask(subscription.filters, subscription.start, stream);
        if (!this.subscriptions.has(subscription)) return;
        if (answer.gap) subscription.options.onGap?.(answer.gap, subscription);
        for (const event of answer.events) subscription.give(readable(event));
        subscription.stand(new Cursor(answer.cursor));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        this.#refuse(subscription, error);
      }
    }));
    if (this.#isIdle) this.#replace();
  }

  /** What a stream for all who have a place asks for. */
  union() {
    const standing = [...this.subscriptions].filter((subscription) => subscription.place);
    return {
      standing,
      filters: [...new Set(standing.flatMap((subscription) => subscription.filters))],
      cursor: standing.length > 0 ? Cursor.smallest(standing.map((subscription) => subscription.place)).toString() : null,
    };
  }

  /** One event of the stream, to each that wants it and has not had it. A stream goes through each shard in order. */
  deliver(event) {
    const [shard, offset] = event.position.split(".");
    const place = [Number(shard), BigInt(offset)];
    const given = readable(event);
    for (const subscription of this.subscriptions) {
      if (!subscription.place || subscription.place.has(...place)) continue;
      subscription.place.advance(...place);
      if (subscription.wants(event.topic)) subscription.give(given);
      subscription.keep();
    }
  }

  /** The stream has come to `cursor`: so has everyone on it, whether or not anything was for them. */
  reached(cursor) {
    const { places } = new Cursor(cursor);
    for (const subscription of this.subscriptions) {
      if (!subscription.place) continue;
      for (const [shard, offset] of places) subscription.place.advance(shard, offset);
      subscription.keep();
    }
  }

  /** Part of the log cannot be had any more: those who stood before that part, or beyond the log's end, go on after it. */
  skip(gap) {
    const to = new Cursor(gap.to);
    const from = new Cursor(gap.from);
    for (const subscription of this.subscriptions) {
      const { place } = subscription;
      if (!place) continue;
      let isHit = false;
      if (place.cluster !== to.cluster) {
        subscription.place = new Cursor(gap.to);
        isHit = true;
      } else {
        for (const [shard, offset] of to.places) {
          if (from.places.get(shard) === offset || !place.places.has(shard)) continue;
          const isBeyond = gap.reason === "future" && place.places.get(shard) > offset;
          if (!isBeyond && place.has(shard, offset)) continue;
          place.places.set(shard, offset);
          isHit = true;
        }
      }
      if (!isHit) continue;
      subscription.options.onGap?.(gap, subscription);
      subscription.keep();
    }
  }

  /** One poll: what is there now, or with `wait` the first that comes. */
  async ask(filters, question, stream) {
    const response = await this.request(filters, question, "application/json", stream);
    if (response.status === 204) return { events: [], cursor: response.headers.get("Tidings-Cursor") };
    return response.json();
  }

  async request(filters, question, accept, stream) {
    const headers = { Accept: accept };
    const { memberData, ...plain } = question;
    const pairs = [...filters.map((filter) => ["topic", filter]), ...Object.entries(plain)]
      .flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
    if (memberData !== undefined) pairs.push(["memberData", JSON.stringify(memberData)]);
    const url = new URL("v1/events", this.base);
    // Not URLSearchParams: it writes a space as '+', which in a filter is a wildcard.
    url.search = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    const init = { headers, signal: stream.signal, cache: "no-store" };
    if (url.href.length > LONGEST_URL) {
      url.search = "";
      Object.assign(init, { method: "POST", body: JSON.stringify({ topics: filters, ...question }) });
      headers["Content-Type"] = "application/json";
    }
    return checked(await fetch(url, init));
  }

  // -- Over the socket

  adopt(socket) {
    this.#socket = socket;
    const { standing, filters, cursor } = this.union();
    for (const subscription of this.subscriptions) subscription.wire = null;
    if (standing.length > 0) {
      // All in one: a connection goes through each shard once, and a second subscription would run beside the first.
      const id = this.#name("s");
      for (const subscription of standing) subscription.wire = id;
      this.#send({ op: "subscribe", id, topics: filters, cursor });
    }
    this.#subscribeOnSocket([...this.subscriptions].filter((subscription) => !subscription.place));
    for (const room of this.rooms.values()) {
      room.isOnSocket = false;
      this.#enterOnSocket(room);
    }
  }

  #subscribeOnSocket(beginners) {
    for (const subscription of beginners) {
      subscription.wire = this.#name("s");
      this.#send({ op: "subscribe", id: subscription.wire, topics: subscription.filters });
    }
  }

  /** The socket is gone; what it had not answered is published in another way. */
  abandon(socket) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    for (const { reject } of this.#published.values()) reject(new Error("the connection was lost"));
    this.#published.clear();
  }

  receive(message, stream) {
    switch (message.op) {
      case "event": return this.deliver(message);
      case "subscribed": {
        const beginner = [...this.subscriptions].find((each) => each.wire === message.id && !each.place);
        return beginner?.stand(new Cursor(message.cursor));
      }
      case "gap": return this.skip(message);
      case "presence": return this.takePresence(message);
      case "cursor": return this.reached(message.cursor);
      case "drain": return void (stream.delay = message.reconnectAfter);
      case "published": return this.#answered(message.ref)?.resolve(message);
      case "error": {
        const error = PASSING.includes(message.code) ? new Error(message.detail) : new Refused(message);
        if (message.ref) return this.#answered(message.ref)?.reject(error);
        for (const each of [...this.subscriptions]) if (each.wire === message.id) this.#refuse(each, error);
        for (const room of this.rooms.values()) if (message.id === `presence ${room.topic}`) this.#refuseRoom(room, message);
      }
    }
  }

  #answered(reference) {
    const waiting = this.#published.get(reference);
    this.#published.delete(reference);
    return waiting;
  }

  // -- Publishing

  /**
   * Publishes `data`: text, bytes, or anything else as JSON. Options: `type`, `retain`, `ttl` ("30s"), `contentType`, `key`.
   * Answers `{position, duplicate}` once the message is safe. Tried again until then, under one key, so never doubled.
   */
  async publish(topic, data, { type, retain, ttl, contentType, key = randomKey() } = {}) {
    const message = { topic, type, retain, ttl, key, ...encoded(data, contentType) };
    const until = Date.now() + PUBLISHING;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await (this.#socket ? this.#publishOnSocket(message) : this.#publishByRequest(message));
      } catch (error) {
        if (error instanceof Refused || Date.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, error.delay ?? backoff(attempt)));
      }
    }
  }

  #publishOnSocket(message) {
    return new Promise((resolve, reject) => {
      const ref = this.#name("p");
      this.#published.set(ref, { resolve, reject });
      this.#send({ op: "publish", ref, ...message });
    });
  }

  async #publishByRequest(message) {
    const headers = { "Content-Type": "application/json" };
    const response = await checked(await fetch(new URL("v1/publish", this.base), { method: "POST", headers, body: JSON.stringify([message]) }));
    const [result] = (await response.json()).results;
    if (result.error) throw refusal(result.error);
    return result;
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #name(prefix) {
    return `${prefix}${(this.#counter += 1)}`;
  }

  // -- Ends and news

  /** Ends the stream at once for another: over a better transport, or with the subscriptions there are now. */
  #replace() {
    if (this.#stream) this.#stream.replaced = true;
    this.#stream?.end("replaced");
    this.#wake?.();
  }

  #refuse(subscription, error) {
    this.subscriptions.delete(subscription);
    if (this.options.onError) this.options.onError(error, subscription);
    else console.error(`tidings: ${subscription.filters}: ${error.message}`);
  }

  #tell(news) {
    this.status = { ...this.status, ...news };
    this.options.onStatus?.(this.status);
  }
}

// -- The transports: each follows until it ends, and throws when it never got through

const TRANSPORT = {
  async websocket(client, stream) {
    // Whoever begins now is told its cursor on the socket; all others need theirs before.
    await client.begin(stream, (subscription) => subscription.beginsNow);
    stream.signal.throwIfAborted();
    const url = new URL("v1/ws", client.base);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, "tidings.v1");
    stream.ping = () => socket.send('{"op":"ping"}');
    try {
      await new Promise((resolve, reject) => {
        stream.signal.addEventListener("abort", () => reject(stream.signal.reason));
        socket.onclose = ({ code, reason }) => reject(new Error(reason || `the connection was closed (${code})`));
        socket.onmessage = ({ data }) => {
          if (stream.signal.aborted) return;
          stream.hear();
          const message = JSON.parse(data);
          if (message.op === "welcome") {
            client.opened(stream, { node: message.node, cluster: message.cluster });
            client.adopt(socket);
          } else {
            client.receive(message, stream);
          }
        };
      });
    } finally {
      client.abandon(socket);
      socket.close();
    }
  },

  async sse(client, stream) {
    await client.begin(stream);
    const [filters, question] = client.streamQuestion(client.union(), true);
    // Not EventSource: it hears only of event types it knows beforehand, and nothing of what a refusal says.
    const response = await client.request(filters, { ...question, format: "json" }, "text/event-stream", stream);
    for await (const { event, data, id, retry } of serverSentEvents(response.body, () => client.opened(stream))) {
      if (retry) stream.delay = retry;
      if (event === "tidings.gap") client.skip(JSON.parse(data));
      else if (event === "tidings.presence") client.takePresence(JSON.parse(data));
      else if (data) client.deliver(JSON.parse(data));
      if (id) client.reached(id);
    }
  },

  async longpoll(client, stream) {
    await client.begin(stream);
    const [filters, { cursor: start, ...wishes }] = client.streamQuestion(client.union(), false);
    let cursor = start;
    // The first answer comes at once, so that it is known whether any gets through.
    for (let wait = 0; ; wait = client.rooms.size > 0 ? ASKING : WAITING) {
      const answer = await client.ask(filters, { ...(cursor ? { cursor } : {}), wait, ...(wait > 0 ? wishes : {}) }, stream);
      client.opened(stream);
      await client.askRooms(stream);
      if (answer.gap) client.skip(answer.gap);
      for (const event of answer.events) client.deliver(event);
      cursor = answer.cursor ?? cursor;
      client.reached(cursor);
    }
  },
};

/** Takes a response's body apart into events; `heard` is called for every sign of life, comments too. */
async function* serverSentEvents(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const [, field, text] = /^([^:\r]*):? ?(.*?)\r?$/s.exec(line);
      if (line === "" || line === "\r") {
        yield event;
        event = {};
      } else if (field === "data") {
        event.data = event.data === undefined ? text : `${event.data}\n${text}`;
      } else if (field === "retry") {
        event.retry = Number(text);
      } else if (field) {
        event[field] = text;
      }
    }
  }
}

// -- Small things

/** An event as handlers get it: `data` is a value parsed from JSON, text, or a Uint8Array. */
function readable({ op, data_base64: base64, ...event }) {
  if (base64 !== undefined) event.data = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return event;
}

/** What is neither bytes nor plain text is JSON. Text that is JSON already goes as its bytes, to arrive as they are. */
function encoded(data, contentType) {
  if (typeof data === "string" && !/^application\/(.*\+)?json\b/.test(contentType ?? "")) {
    return { data, datacontenttype: contentType ?? "text/plain; charset=utf-8" };
  }
  const isBinary = data instanceof ArrayBuffer || ArrayBuffer.isView(data);
  if (!isBinary && typeof data !== "string") return { data: data ?? null, datacontenttype: contentType ?? "application/json" };
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data.buffer ?? data, data.byteOffset, data.byteLength);
  const characters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return { data_base64: btoa(characters), datacontenttype: contentType ?? "application/octet-stream" };
}

/** Full jitter: clients that were cut off together do not come back together. */
function backoff(attempt) {
  return Math.random() * Math.min(BACKOFF.most, BACKOFF.first * 2 ** attempt);
}

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Passes a good response on. What was refused for good throws `Refused`; anything else may be tried again. */
async function checked(response) {
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ title: response.statusText }));
  const error = refusal({ status: response.status, ...problem });
  const seconds = Number(response.headers.get("Retry-After"));
  if (seconds > 0) error.delay = seconds * 1000 * (1 + Math.random());
  throw error;
}

function refusal(problem) {
  const isFinal = problem.status >= 400 && problem.status < 500 && ![408, 425, 429].includes(problem.status);
  return isFinal ? new Refused(problem) : new Error(problem.detail ?? problem.title ?? `status ${problem.status}`);
}
