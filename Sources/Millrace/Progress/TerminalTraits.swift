/// What standard error is, and what may be written there.
package struct TerminalTraits: Sendable, Hashable {
  /// It is a terminal whose cursor can be moved.
  package var drawsBars: Bool
  package var hasColour: Bool
  /// Whether the user wants colours wherever it is.
  package var isColourForced: Bool
  package var isUnicode: Bool

  /// - Parameter variable: the value of an environment variable.
  package init(isTerminal: Bool, variable: (String) -> String?) {
    let term = variable("TERM") ?? ""
    let isCapable = isTerminal && !term.isEmpty && term != "dumb"
    drawsBars = isCapable
    let forced = variable("FORCE_COLOR") ?? ""
    isColourForced = !forced.isEmpty && forced != "0" && forced != "false"
    hasColour = isColourForced || (isCapable && forced.isEmpty && (variable("NO_COLOR") ?? "").isEmpty)
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(variable).first { !$0.isEmpty } ?? ""
    let charset = locale.lowercased()
    isUnicode = charset.contains("utf-8") || charset.contains("utf8")
  }
}
