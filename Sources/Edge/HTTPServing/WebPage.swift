/// What a node gives to a browser; it needs nothing from elsewhere.
enum WebPage: Equatable {
  /// The dashboard, and what it is made of.
  case index, script, messages, style
  /// For pages of anyone.
  case client

  var bytes: [UInt8] {
    switch self {
    case .index: PackageResources.index_html
    case .script: PackageResources.dashboard_js
    case .messages: PackageResources.messages_js
    case .style: PackageResources.dashboard_css
    case .client: PackageResources.tidings_js
    }
  }

  var type: StaticString {
    switch self {
    case .index: "text/html; charset=utf-8"
    case .style: "text/css; charset=utf-8"
    case .script, .messages, .client: "text/javascript; charset=utf-8"
    }
  }

  /// The page shows names and payloads of anyone's making. Should one of them ever pass for markup, nothing in it runs,
  /// loads, or sends anything anywhere but here.
  static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
