import Core
import Feeds
import HTTP
import Presence
import Testing

@testable import Edge

@Suite("Presence")
struct PresenceTests {
  private func socket(_ harness: EdgeHarness) throws -> TestClient { try harness.connect(sending: TestClient.upgrade) }

  private func stream(_ harness: EdgeHarness, _ query: String, accept: String = eventStream) throws -> TestClient {
    try harness.connect(sending: request("/v1/events?topic=t&" + query, accept))
  }

  /// What `GET /v1/presence` answers.
  private func ask(_ harness: EdgeHarness, _ query: String) throws -> (status: Int, body: String) {
    harness.pass(.milliseconds(200))
    let client = try harness.connect(sending: request("/v1/presence?" + query))
    let answer = try #require(client.answers().first)
    return (answer.status, answer.body)
  }

  /// Without what the clock put in.
  private func timeless(_ text: String) -> String { text.replacing(/"since":"[^"]*"/, with: "\"since\":\"…\"") }

  private func heard(_ client: TestClient) -> [String] { client.messages().filter { !$0.contains("\"welcome\"") && $0 != "ping" }.map(timeless) }

  @Test("A stream's member is there while the stream is, and is counted and listed")
  func streaming() throws {
    let harness = try EdgeHarness()
    let ann = try stream(harness, "enter=room/1&enter=room/2&member=ann&memberData=%7B%20%22a%22%20:%201%7D")
    let again = try stream(harness, "enter=room/1&member=ann&memberData=%7B%22a%22:1%7D")
    let bob = try stream(harness, "enter=room/1&member=bob", accept: "Accept: application/x-ndjson")
    #expect(timeless(try ask(harness, "topic=room/1").body)
      == #"{"topic":"room/1","count":2,"members":[{"id":"ann","data":{"a":1},"since":"…","connections":2},{"id":"bob","since":"…","connections":1}]}"#)
    #expect(try ask(harness, "topic=room/1&count=true").body == #"{"topic":"room/1","count":2}"#)
    #expect(try ask(harness, "topic=room/%2B&topic=nowhere&count=true").body
      == #"{"count":3,"topics":[{"topic":"room/1","count":2},{"topic":"room/2","count":1}]}"#)
    #expect(timeless(try ask(harness, "topic=room/1&limit=1").body).hasSuffix(#""connections":2}],"truncated":true}"#))
    #expect(timeless(try ask(harness, "topic=room/1&limit=1&after=ann").body)
      == #"{"topic":"room/1","count":2,"members":[{"id":"bob","since":"…","connections":1}]}"#)
    ann.close()
    harness.settle()
    #expect(try ask(harness, "topic=room/%2B&count=true").body == #"{"count":2,"topics":[{"topic":"room/1","count":2}]}"#)
    again.close()
    bob.close()
    harness.settle()
    #expect(try ask(harness, "topic=room/1").body == #"{"topic":"room/1","count":0,"members":[]}"#)
    harness.pass(.seconds(3))
    #expect(!harness.edge.presence.isActive)
  }

  @Test("A socket enters, changes what it says, takes another name and leaves; those who hear are told each")
  func socket() throws {
    let harness = try EdgeHarness()
    let ann = try socket(harness)
    ann.sendFrame(#"{"op":"presence","ref":1,"topic":"r","member":{"id":"ann","data":{"n":1}},"events":true}"#)
    harness.settle()
    #expect(heard(ann) == [
      #"{"op":"entered","ref":1,"topic":"r","member":"ann"}"#,
      #"{"op":"presence","topic":"r","count":1,"members":[{"id":"ann","data":{"n":1},"since":"…"}]}"#,
    ])
    // Who hears of it already is told the state at once.
    let bob = try socket(harness)
    bob.sendFrame(#"{"op":"presence","id":"x","topic":"r","events":true}"#)
    harness.settle()
    #expect(heard(bob) == [#"{"op":"presence","topic":"r","count":1,"members":[{"id":"ann","data":{"n":1},"since":"…"}]}"#])
    for operation in [#""member":{"id":"ann","data":{"n":2}}"#, #""member":{"id":"anna"}"#, #""leave":true"#] {
      ann.sendFrame(#"{"op":"presence","topic":"r",\#(operation)}"#)
      harness.pass(.milliseconds(200))
    }
    #expect(heard(bob).dropFirst().elementsEqual([
      #"{"op":"presence","topic":"r","count":1,"joined":[{"id":"ann","data":{"n":2},"since":"…"}],"left":[]}"#,
      #"{"op":"presence","topic":"r","count":1,"joined":[{"id":"anna","since":"…"}],"left":[{"id":"ann"}]}"#,
      #"{"op":"presence","topic":"r","count":0,"joined":[],"left":[{"id":"anna"}]}"#,
    ]))
    #expect(heard(ann).contains(#"{"op":"left","topic":"r"}"#))
    bob.sendFrame(#"{"op":"presence","ref":2,"topic":"r","events":false}"#)
    harness.settle()
    let count = heard(bob).count
    #expect(heard(bob).last == #"{"op":"presence","ref":2,"topic":"r","events":false}"#)
    ann.sendFrame(#"{"op":"presence","topic":"r","member":{"id":"ann"}}"#)
    harness.pass(.milliseconds(200))
    #expect(heard(bob).count == count)
  }

  @Test("A socket that ends leaves everything it entered")
  func ends() throws {
    let harness = try EdgeHarness()
    let ann = try socket(harness)
    let bob = try stream(harness, "presence=a")
    for topic in ["a", "b"] { ann.sendFrame(#"{"op":"presence","topic":"\#(topic)","member":{"id":"ann"}}"#) }
    harness.pass(.milliseconds(200))
    #expect(try ask(harness, "topic=a&topic=b&count=true").body.hasPrefix(#"{"count":2"#))
    ann.close()
    harness.pass(.milliseconds(200))
    #expect(try ask(harness, "topic=a&topic=b&count=true").body == #"{"count":0,"topics":[]}"#)
    #expect(bob.events().filter { $0.type == "tidings.presence" }.map { timeless($0.data) } == [
      #"{"topic":"a","count":0,"members":[]}"#, #"{"topic":"a","count":1,"joined":[{"id":"ann","since":"…"}],"left":[]}"#,
      #"{"topic":"a","count":0,"joined":[],"left":[{"id":"ann"}]}"#,
    ])
  }

  @Test("The only one who hears of a topic comes back in the same moment, and is told the state again")
  func back() throws {
    let harness = try EdgeHarness()
    let ann = try socket(harness)
    ann.sendFrame(#"{"op":"presence","topic":"a","member":{"id":"ann"}}"#)
    let first = try stream(harness, "presence=a")
    harness.pass(.milliseconds(200))
    #expect(first.events().count == 1)
    first.close()
    let second = try stream(harness, "presence=a")
    harness.pass(.milliseconds(300))
    #expect(second.events().map { timeless($0.data) } == [#"{"topic":"a","count":1,"members":[{"id":"ann","since":"…"}]}"#])
  }

  @Test("A stream in lines tells presence in lines, among its events")
  func lines() throws {
    let harness = try EdgeHarness()
    let bob = try stream(harness, "presence=a&enter=a&member=bob", accept: "Accept: application/x-ndjson")
    harness.publish("t", "hello")
    harness.pass(.milliseconds(200))
    let lines = bob.lines.map(timeless)
    #expect(lines.contains(#"{"presence":{"topic":"a","count":1,"members":[{"id":"bob","since":"…"}]}}"#))
    #expect(lines.contains { $0.contains("hello") })
  }

  @Test("A member stays between two long-polls, and goes when no other comes")
  func longPoll() throws {
    let harness = try EdgeHarness()
    let poll = request("/v1/events?topic=t&wait=20&enter=r&member=ann")
    let client = try harness.connect(sending: poll)
    #expect(try ask(harness, "topic=r&count=true").body.contains("\"count\":1"))
    harness.publish("t", "1")
    #expect(client.answers().count == 1)
    harness.pass(.seconds(9))
    #expect(try ask(harness, "topic=r").body.contains("\"connections\":1"))
    // On another connection, and taken up again.
    let next = try harness.connect(sending: poll)
    #expect(try ask(harness, "topic=r").body.contains("\"connections\":1"))
    harness.publish("t", "2")
    #expect(next.answers().count == 1)
    harness.pass(.seconds(9))
    #expect(try ask(harness, "topic=r&count=true").body.contains("\"count\":1"))
    harness.pass(.seconds(2))
    #expect(try ask(harness, "topic=r&count=true").body.contains("\"count\":0"))
    // Whoever hangs up while it waits is gone at once.
    let last = try harness.connect(sending: poll)
    #expect(try ask(harness, "topic=r&count=true").body.contains("\"count\":1"))
    last.close()
    #expect(try ask(harness, "topic=r&count=true").body.contains("\"count\":0"))
  }

  @Test("Who is not let in is told so, in its transport's words, and is not there later")
  func full() throws {
    let harness = try EdgeHarness()
    let first = try socket(harness)
    first.sendFrame(#"{"op":"presence","topic":"r","member":{"id":"a"}}"#)
    _ = try stream(harness, "enter=r&member=b")
    _ = try stream(harness, "enter=r&member=c")
    harness.pass(.milliseconds(200))
    let late = try stream(harness, "enter=r&member=d")
    let lines = try stream(harness, "enter=r&member=e", accept: "Accept: application/x-ndjson")
    let last = try socket(harness)
    last.sendFrame(#"{"op":"presence","id":"mine","topic":"r","member":{"id":"f"}}"#)
    harness.pass(.milliseconds(200))
    #expect(late.events().first?.data.hasPrefix(#"{"topic":"r","code":"presence-full","detail":"#) == true)
    #expect(lines.take().contains(#"{"presence":{"topic":"r","code":"presence-full","#))
    #expect(heard(last).last?.hasPrefix(#"{"op":"error","id":"mine","code":"presence-full","#) == true)
    first.sendFrame(#"{"op":"presence","topic":"r","leave":true}"#)
    harness.pass(.seconds(2))
    #expect(try ask(harness, "topic=r&count=true").body.contains("\"count\":2"))
    // There is room, and it may try again.
    last.sendFrame(#"{"op":"presence","topic":"r","member":{"id":"f"}}"#)
    harness.pass(.milliseconds(200))
    #expect(heard(last).last == #"{"op":"entered","topic":"r","member":"f"}"#)
  }

  @Test("Whoever does not keep up with what it hears of is told the state when it does")
  func slow() throws {
    let harness = try EdgeHarness()
    let slow = try harness.connect(sending: TestClient.upgrade, buffer: 4096)
    slow.sendFrame(#"{"op":"presence","topic":"r","events":true}"#)
    harness.settle()
    slow.isStalled = true
    let busy = try socket(harness)
    let filler = String(repeating: "x", count: 1000)
    for number in 0..<300 {
      busy.sendFrame(#"{"op":"presence","topic":"r","member":{"id":"busy","data":"\#(number)\#(filler)"}}"#)
      harness.pass(.milliseconds(110))
    }
    slow.isStalled = false
    for _ in 0..<5 { harness.pass(.milliseconds(200)) }
    let told = heard(slow)
    #expect(told.count < 290)
    #expect(told.last?.contains(#""members":[{"id":"busy","data":"299"#) == true)
    busy.sendFrame(#"{"op":"presence","topic":"r","leave":true}"#)
    harness.pass(.seconds(1))
    #expect(heard(slow).last == #"{"op":"presence","topic":"r","count":0,"joined":[],"left":[{"id":"busy"}]}"#)
  }

  @Test("What is wrong in a request is said by name, before anything begins", arguments: [
    ("enter=a", "Say who enters: member=NAME"), ("member=ann", "Say where to be present: enter=TOPIC"),
    ("memberData=1", "memberData belongs to"), ("enter=a/%23&member=ann", "a topic has no wildcards"), ("enter=&member=ann", "at least one character"),
    ("presence=a/%2B", "a topic has no wildcards"), ("enter=a/+&member=ann", "a topic has no wildcards"), ("enter=a&member=", "1 to 128 bytes"),
    ("enter=a&member=" + String(repeating: "n", count: 129), "1 to 128 bytes"), ("enter=a&member=a%0Ab", "1 to 128 bytes"),
    ("enter=a&member=ann&memberData=%7B", "not JSON"),
    ("enter=a&member=ann&memberData=%22" + String(repeating: "n", count: 1023) + "%22", "at most 1024 bytes, this is 1025"),
    ((0...256).map { "enter=t\($0)" }.joined(separator: "&") + "&member=ann", "at most 256 topics"),
    ((0...256).map { "presence=t\($0)" }.joined(separator: "&"), "at most 256 topics"),
  ])
  func wrongRequests(query: String, detail: String) throws {
    let harness = try EdgeHarness()
    for accept in [eventStream, "Accept: application/x-ndjson", "Accept: application/json"] {
      let client = try stream(harness, "wait=5&" + query, accept: accept)
      let answer = try #require(client.answers().first)
      #expect(answer.status == 400)
      #expect(answer.body.contains(detail), "\(answer.body)")
    }
    #expect(!harness.edge.presence.isActive)
  }

  @Test("What a manner of reading cannot do is refused, and where presence is forbidden it is", arguments: [
    ("/v1/events?topic=t&presence=a", 400, "on a stream"), ("/v1/events?topic=t&wait=5&presence=a", 400, "on a stream"),
    ("/v1/events?topic=t&enter=a&member=ann", 400, "wait=SECONDS"), ("/v1/events?topic=t&wait=9&enter=%24SYS/a&member=ann", 403, "belong to the system"),
    ("/v1/history?topic=t&presence=a", 400, "for reading /v1/events"), ("/v1/presence", 400, "Say where"),
    ("/v1/presence?topic=a/%23/b", 400, "'#' is the last level"), ("/v1/presence?topic=a&limit=0", 400, "from 1 to 1000"),
    ("/v1/presence?topic=a&limit=1001", 400, "from 1 to 1000"), ("/v1/presence?topic=a&count=yes", 400, "count is"),
    ("/v1/presence?topic=a/%2B&after=ann", 400, "one topic"), ("/v1/presence?topic=a&after=", 400, "1 to 128 bytes"),
    ("/v1/presence?topic=a&who=me", 400, "no parameter 'who'"),
  ])
  func refused(target: String, status: Int, detail: String) throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request(target))
    let answer = try #require(client.answers().first)
    #expect(answer.status == status)
    #expect(answer.body.contains(detail), "\(answer.body)")
  }

  @Test("What is wrong in an operation is answered by name, and the connection goes on", arguments: [
    (#"{"op":"presence"}"#, "bad-request"), (#"{"op":"presence","topic":"a"}"#, "bad-request"), (#"{"op":"presence","topic":7,"leave":true}"#, "bad-request"),
    (#"{"op":"presence","topic":"a/+","member":{"id":"x"}}"#, "bad-request"), (#"{"op":"presence","topic":"a","member":"x"}"#, "bad-request"),
    (#"{"op":"presence","topic":"a","member":{}}"#, "bad-request"), (#"{"op":"presence","topic":"a","member":{"id":""}}"#, "bad-request"),
    (#"{"op":"presence","topic":"a","member":{"id":7}}"#, "bad-request"), (#"{"op":"presence","topic":"a","member":{"id":"x","nick":1}}"#, "bad-request"),
    (#"{"op":"presence","topic":"a","member":{"id":"x","data":""# + String(repeating: "y", count: 1023) + #""}}"#, "bad-request"),
    (#"{"op":"presence","topic":"a","member":{"id":"x"},"leave":true}"#, "bad-request"), (#"{"op":"presence","topic":"a","leave":1}"#, "bad-request"),
    (#"{"op":"presence","topic":"a","leave":true}"#, "not-present"), (#"{"op":"presence","topic":"a","events":false}"#, "not-present"),
    (#"{"op":"presence","topic":"a","events":"yes"}"#, "bad-request"), (#"{"op":"presence","topic":"a","dance":true}"#, "bad-request"),
    (#"{"op":"presence","topic":"$SYS/a","member":{"id":"x"}}"#, "forbidden"), (#"{"op":"subscribe","id":"s","topics":["a"],"presence":"a"}"#, "bad-request"),
  ])
  func wrongOperations(text: String, code: String) throws {
    let harness = try EdgeHarness()
    let client = try socket(harness)
    client.sendFrame(text)
    client.sendFrame(#"{"op":"ping","ref":1}"#)
    harness.settle()
    #expect(heard(client).first?.contains(#""code":"\#(code)""#) == true, "\(heard(client))")
    #expect(heard(client).last == #"{"op":"pong","ref":1}"#)
    #expect(!harness.edge.presence.isActive)
  }

  @Test("A connection enters, and hears of, so many topics and no more")
  func tooMany() throws {
    let harness = try EdgeHarness()
    let client = try socket(harness)
    for number in 0...256 {
      client.sendFrame(#"{"op":"presence","topic":"t\#(number)","member":{"id":"x"}}"#)
      client.sendFrame(#"{"op":"presence","topic":"t\#(number)","events":true}"#)
      harness.settle()
    }
    harness.pass(.seconds(2))
    #expect(heard(client).filter { $0.contains(#""code":"too-many""#) }.count == 2)
    #expect(heard(client).filter { $0.contains(#""op":"entered""#) }.count == 256)
  }

  @Test("A shard that cannot answer is a 503, and its members are announced when it can")
  func unavailable() throws {
    let harness = try EdgeHarness(shards: 1)
    harness.shards[0].refusal = .noQuorum
    let client = try socket(harness)
    client.sendFrame(#"{"op":"presence","topic":"r","member":{"id":"ann"},"events":true}"#)
    #expect(try ask(harness, "topic=r").status == 503)
    #expect(heard(client).isEmpty)
    harness.shards[0].refusal = nil
    harness.pass(.seconds(1))
    #expect(heard(client).first == #"{"op":"entered","topic":"r","member":"ann"}"#)
    #expect(try ask(harness, "topic=r&count=true").body.contains("\"count\":1"))
  }

  @Test("While a node drains, those it sends elsewhere are not told to have left before they can be there")
  func draining() throws {
    let harness = try EdgeHarness()
    let ann = try socket(harness)
    ann.sendFrame(#"{"op":"presence","topic":"r","member":{"id":"ann"}}"#)
    harness.settle()
    #expect(harness.shard(of: "r").presence.memberCount == 1)
    harness.edge.drain(over: .zero)
    harness.pass(.seconds(9))
    #expect(harness.shard(of: "r").presence.memberCount == 1)
    harness.pass(.seconds(3))
    #expect(harness.shard(of: "r").presence.memberCount == 0)
  }
}
