internal import Broker
internal import Core
internal import Edge
internal import Feeds
internal import Reactor
internal import Replica
internal import Wire

/// What a reactor tells of itself, and the pages that are made of what all of them tell.
extension NodeReactor {
  func report() -> ReactorReport {
    let edge = edge.report()
    return ReactorReport(
      index: index, edge: edge, shards: broker?.statuses ?? [], loop: loop.counters, rates: meter.rates,
      latencies: window.recent(of: edge.latencies), routing: routing?.counters, cluster: desk?.report)
  }

  func take(_ report: ReactorReport, _ request: ReportRequest) {
    guard let page = pages.take(report, request, of: plan.reactors) else { return }
    switch page.kind {
    case .status:
      edge.answerPage(request.page.ticket, type: "application/json", status(page.reports))
    case .news:
      edge.publishStatus(status(page.reports))
    case .metrics:
      let body = MetricsPage(plan: plan, reports: page.reports, now: loop.now).render()
      edge.answerPage(request.page.ticket, type: "text/plain; version=0.0.4; charset=utf-8", body)
    case .own:
      desk?.tellOthers(own(page.reports))
      if newsDesk.isToldToOthers() { plan.board.tellNews() }
    case .system:
      let status = StatusPage(plan: plan, own: own(page.reports), peers: plan.board.peers)
      edge.tellSystem(SystemPage(plan: plan, reports: page.reports, status: status, now: loop.now).make())
    }
  }

  private func status(_ reports: [ReactorReport]) -> Bytes {
    StatusPage(plan: plan, own: own(reports), peers: plan.board.peers).render()
  }

  private func own(_ reports: [ReactorReport]) -> NodeReport {
    OwnReport(plan: plan, reports: reports, now: loop.now, clock: loop.clockTime).make()
  }
}

extension NodeReactor: NodePages {
  func status(for page: PageTicket) { ask(page.ticket == Ticket(0) ? .news : .status, page) }
  func metrics(for page: PageTicket) { ask(.metrics, page) }
  func system(at edge: EdgeID) { ask(.system, PageTicket(edge: edge, ticket: Ticket(0))) }

  func wish(_ wish: NodeWish, of node: String, for page: PageTicket) {
    guard plan.clusterPlan != nil else {
      return edge.answerWish(page.ticket, .conflict("The node is alone: there is nobody to take over. To stop it in order, send it SIGTERM."))
    }
    guard plan.isBorn else { return edge.answerWish(page.ticket, .unavailable(plan.board.birthStatus)) }
    send(.wish(wish, node, page), to: 0)
  }

  func ask(_ kind: ReportRequest.Kind, _ page: PageTicket) {
    let request = pages.open(kind, page, from: index)
    for reactor in 0..<plan.reactors { send(.reportWanted(request), to: reactor) }
  }

  var unreadiness: String? {
    if isClosing || isDraining { return "The node is draining: it takes no new work. Use another node." }
    if !plan.isBorn { return plan.board.birthStatus }
    if let routing, !routing.reachesABroker { return "The node reaches no broker: none of them runs, or something stands between." }
    let refusals = plan.board.refusals
    return refusals.isEmpty ? nil : "Some shards cannot be written: \(refusals.joined(separator: "; "))."
  }

  var isDraining: Bool { plan.board.isDraining }
}
