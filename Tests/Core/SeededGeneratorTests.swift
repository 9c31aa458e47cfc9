import Core
import Testing

@Suite("SeededGenerator")
struct SeededGeneratorTests {
  @Test("Its sequence is SplitMix64's, so that a printed seed means the same everywhere")
  func golden() {
    var random = SeededGenerator(seed: 1_234_567)
    let first = (0..<5).map { _ in random.next() }
    #expect(
      first == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
      ])
  }

  @Test("A number below a bound is below it, and all of them come", arguments: [1, 2, 3, 10, 1000])
  func below(bound: Int) {
    var random = SeededGenerator(seed: 5)
    var seen: Set<Int> = []
    for _ in 0..<bound * 20 {
      let number = random.below(bound)
      #expect(number >= 0 && number < bound)
      seen.insert(number)
    }
    #expect(seen.count == bound)
  }

  @Test("A copy goes on as the original would have")
  func copies() {
    var original = SeededGenerator(seed: 9)
    _ = original.next()
    var copy = original
    #expect((0..<10).map { _ in original.next() } == (0..<10).map { _ in copy.next() })
  }
}
