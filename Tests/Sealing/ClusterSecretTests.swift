import Core
import Gossip
import Testing

@testable import Sealing

@Suite("The cluster's secret")
struct ClusterSecretTests {
  @Test("The first line sends, all receive; comments, empty lines and blanks around a secret count for nothing")
  func lines() throws {
    let plain = try secret(newSecret, oldSecret)
    #expect(plain.keys.count == 2)
    #expect(plain.sending.id == plain.ids[0] && plain.ids[0] != plain.ids[1])
    let dressed = try secret("\u{feff}# made in spring", "", "  \(newSecret)\t\r", "   ", " # the old one", oldSecret, "", "")
    #expect(dressed.ids == plain.ids)
    #expect(dressed.keys[0].gossip == plain.keys[0].gossip)
    #expect(try secret(oldSecret).ids == [plain.ids[1]])
  }

  @Test("Keys for different uses are different, and stay what they are from release to release")
  func keys() throws {
    let key = try secret(oldSecret).sending
    #expect(key.gossip != key.link)
    // Worked out apart from this code, with Python's hmac module.
    #expect(key.id.hexadecimal == "dafb02e2")
    #expect(array(key.gossip.bytes) == hex("a4b0386576a918c6bfb28e494773a2dba8c43e4141f64bd1e14f98ebeb619cc9"))
    #expect(array(key.link.bytes) == hex("2a8d963c1bad14978fa4ae6394afc32b4ee28dc3ed8a46f397e789a31794c7ae"))
  }

  @Test("What is no secret is refused with its line and what to do")
  func refusals() {
    let sixteen = "0123456789abcdef"
    func expect(_ failure: ClusterSecretFailure, says: String, _ lines: String...) {
      let text = Array(lines.joined(separator: "\n").utf8)
      #expect(throws: failure) { _ = try ClusterSecret(parsing: text.span.bytes) }
      #expect(failure.description.contains(says), "\(failure)")
      #expect(!failure.description.contains(sixteen))
    }
    expect(.empty, says: "openssl rand", "")
    expect(.empty, says: "no secret", "# nothing", "", " \r")
    expect(.tooShort(line: 2, bytes: 15), says: "line 2", "#", "0123456789abcde")
    expect(.tooLong(line: 1, bytes: 1025), says: "1025", String(repeating: "x", count: 1025))
    expect(.repeated(line: 4, first: 2), says: "line 2", "", sixteen, oldSecret, sixteen)
    expect(.notText(line: 1), says: "control character", "0123456789\0abcdef")
    expect(.tooMany(line: 9), says: "line 9: there are more than 8", sixteen + "1", sixteen + "2", sixteen + "3", sixteen + "4", sixteen + "5", sixteen + "6", sixteen + "7", sixteen + "8", sixteen + "9")
  }

  @Test("The shortest, the longest and the most are allowed")
  func bounds() throws {
    #expect(try secret("0123456789abcdef").keys.count == 1)
    #expect(try secret(String(repeating: "x", count: 1024)).keys.count == 1)
    let eight = (1...8).map { "0123456789abcdef\($0)" }.joined(separator: "\n")
    #expect(try secret(eight).keys.count == 8)
  }

  @Test("Whatever describes a secret shows key ids and nothing else")
  func description() throws {
    let both = try secret(newSecret, oldSecret)
    let (first, second) = (both.ids[0].hexadecimal, both.ids[1].hexadecimal)
    #expect("\(both)" == "sending with key \(first), receiving with \(second) too")
    #expect("\(try secret(newSecret))" == "sending with key \(first)")
    let key = both.keys[0]
    #expect(Mirror(reflecting: both).children.isEmpty)
    #expect(Mirror(reflecting: key).children.isEmpty)
    #expect(Mirror(reflecting: key.link).children.isEmpty)
    #expect(String(reflecting: [key]) == "[key \(first)]")
    #expect(String(reflecting: [key.gossip]) == "[a key]")
    #expect(SealKeyID(0xab).hexadecimal == "000000ab")
  }

  @Test("Any bytes are a secret or are refused")
  func anyBytes() {
    let seed: UInt64 = 20_260_701
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var (taken, refused) = (0, 0)
    for _ in 0..<3000 {
      // Mostly letters, so that some are taken.
      let text = randomBytes(random.below(120), &random).map { $0 < 250 ? 97 + $0 % 26 : [10, 13, 35, 32, 0, 239][Int($0) - 250] }
      do {
        let secret = try ClusterSecret(parsing: text.span.bytes)
        #expect((1...8).contains(secret.keys.count))
        taken += 1
      } catch { refused += 1 }
    }
    #expect(taken > 100 && refused > 100)
  }
}
