@testable import Client
import Core
import Testing

@Suite("Tables")
struct StatusTests {
  private func answer(_ body: String) -> ClientAnswer {
    ClientAnswer(status: 200, contentType: "application/json", retryAfter: nil, body: Bytes(body))
  }

  @Test("columns are as wide as they need, numbers stand to the right")
  func table() {
    var table = TextTable(["name", "count", "note"])
    table.add(["a", "1", "x"])
    table.add(["longer é", "1000"])
    #expect(table.text == "NAME      COUNT  NOTE\na             1  x\nlonger é   1000\n")
    #expect(TextTable(["a"]).text == "A\n")
  }

  @Test("the cluster is told in three paragraphs, nodes by their names")
  func status() throws {
    let text = try ClusterStatus.text(
      of: answer(
        """
        {"cluster":{"id":"0123456789ab","state":"degraded","shards":2,"replicas":3,"why":["broker-2 is suspect"]},
         "nodes":[{"id":"00000000000000aa","name":"broker-1","role":"all","state":"alive","http":"http://127.0.0.1:8080","uptime":93784,
                   "connections":{"sse":1,"total":3},"shards":{"leader":1,"follower":1},"rates":{"published":12.4,"delivered":0.25}}],
         "shards":[{"id":0,"leader":"00000000000000aa","term":4,"state":"ok","replicas":[{"node":"00000000000000aa","lag":0},{"node":"bb","lag":7}],
                    "first":1,"committed":1042,"bytes":123456}],
         "totals":{"connections":3,"topics":2,"published":1042,"delivered":99,"publishRate":12.4,"deliverRate":0}}
        """))
    #expect(
      text == """
        cluster 0123456789ab is degraded: 2 shards, 3 replicas
          broker-2 is suspect
        3 connections, 2 topics, 1042 published (12/s), 99 delivered (0/s)

        NODE      ROLE  STATE  HTTP                      UP  CLIENTS  LEADS  FOLLOWS    IN    OUT
        broker-1  all   alive  http://127.0.0.1:8080  1d 2h        3      1        1  12/s  0.3/s

        SHARD  STATE  LEADER    TERM  FIRST  COMMITTED     SIZE  REPLICAS
            0  ok     broker-1     4      1       1042  121 KiB  broker-1, bb (-7)

        """)
  }

  @Test("an answer that describes no cluster is not taken for one")
  func notACluster() {
    #expect(throws: ClientFailure.self) { try ClusterStatus.text(of: answer("[]")) }
    #expect(throws: ClientFailure.self) { try ClusterStatus.text(of: answer("<html>")) }
  }

  @Test("uptime shows its two largest units")
  func uptime() {
    let known: [(Int?, String)] = [(nil, ""), (0, "0s"), (59, "59s"), (60, "1m"), (3661, "1h 1m"), (3601, "1h"), (90_061, "1d 1h"), (-1, "")]
    for (seconds, text) in known { #expect(ClusterStatus.uptime(seconds) == text) }
  }

  @Test("consumers are listed whichever members they have, and shown a member a line")
  func consumers() throws {
    let list = answer(#"{"consumers":[{"name":"a","filters":["x/#","y"],"behind":12},{"name":"bb","cursor":"v1~0123456789ab"}]}"#)
    #expect(
      try ConsumerCommands.table(of: list) == "NAME  FILTERS  BEHIND  CURSOR\na     x/#, y       12\nbb                     v1~0123456789ab\n")
    #expect(try ConsumerCommands.details(of: answer(#"{"name":"a","idle":true,"gone":null}"#)) == "name  a\nidle  yes\ngone  \n")
    #expect(ConsumerCommands.path("a/b") == "/v1/consumers/a%2Fb")
  }

  @Test("a consumer is reset to a cursor, or to the place that a moment means in what it follows")
  func reset() throws {
    let moved = ScriptedServer.answer("{}")
    let shown = ScriptedServer.answer(#"{"name":"c","topics":["a/#"]}"#, extra: "Connection: close\r\n")
    let stream = ScriptedServer.stream("retry: 5\n\nid: v1~0123456789ab~0.7\n\nid: v1~0123456789ab~0.8\ndata: {}\n\n")
    let server = ScriptedServer([[shown], [stream], [moved]])
    let commands = ConsumerCommands(client: HTTPClient(server: ServerURL(host: "127.0.0.1", port: server.port)))
    #expect(try commands.reset("c", to: .since("earliest")).isSuccess)
    let requests = server.requests
    #expect(requests[0].hasPrefix("GET /v1/consumers/c "))
    #expect(requests[1].hasPrefix("GET /v1/events?topic=a%2F%23&format=json&since=earliest "))
    #expect(requests[2].hasPrefix("POST /v1/consumers/c/ack "))
    #expect(requests[2].hasSuffix(#"{"cursor":"v1~0123456789ab~0.7","reset":true}"#))
    #expect(ConsumerCommands.resetRequest("c", to: "x").body?.text == #"{"cursor":"x","reset":true}"#)
  }
}
