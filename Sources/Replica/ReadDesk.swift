internal import Core
internal import Feeds
internal import Journal

/// Reads that wait for the disk, and what they wait for. Equal reads in flight are made once.
struct ReadDesk {
  enum Waiting {
    case scan(Scan)
    /// Looks for a time; the scan begins there.
    case time(Scan)
    case walk(Walk)
  }

  struct Flight {
    var plan: ReadPlan
    /// How often the log had been cut when it was made: a later cut makes it void.
    var cuts: UInt64
    var waiting: [Waiting]
  }

  // For look-up only.
  private var flights: [UInt64: Flight] = [:]
  private var byPlan: [ReadPlan: UInt64] = [:]
  private var lastTicket: UInt64 = 0
  private(set) var waitingCount = 0

  /// Waits for a plan; answers the ticket if the read has to be made, nil if one like it is under way.
  mutating func wait(_ waiting: Waiting, for plan: ReadPlan, cuts: UInt64) -> ReadTicket? {
    waitingCount += 1
    if let ticket = byPlan[plan], flights[ticket]!.cuts == cuts {
      flights[ticket]!.waiting.append(waiting)
      return nil
    }
    let ticket = nextTicket()
    byPlan[plan] = ticket.value
    flights[ticket.value] = Flight(plan: plan, cuts: cuts, waiting: [waiting])
    return ticket
  }

  /// A ticket for a read that does not wait here.
  mutating func nextTicket() -> ReadTicket {
    lastTicket += 1
    return ReadTicket(lastTicket)
  }

  mutating func land(_ ticket: ReadTicket) -> Flight? {
    guard let flight = flights.removeValue(forKey: ticket.value) else { return nil }
    if byPlan[flight.plan] == ticket.value { byPlan[flight.plan] = nil }
    waitingCount -= flight.waiting.count
    return flight
  }
}
