internal import Feeds

/// What a command came to, before it is put into the words of who asked.
enum CommandAnswer {
  case done
  case consumers([Consumer])
  case opened(SessionOpened)

  var consumers: [Consumer] { if case .consumers(let consumers) = self { consumers } else { [] } }

  var session: SessionReply.Answer { if case .opened(let opened) = self { .opened(opened) } else { .done } }
}
