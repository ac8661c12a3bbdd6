/// How a map shows how far it is: ``MapOptions/progress``.
///
/// All of it is written to standard error. Where that is no terminal, or one that cannot move its cursor (`TERM=dumb`), bars are plain
/// lines. What a worker process has to show goes to the program, and stands there under the bar of the pool around it.
public struct ProgressStyle: Sendable {
  enum Kind: Sendable {
    case none
    case bar(isCompact: Bool)
    case lines
    case json
    case custom(any ProgressReporter)
  }
  var kind: Kind
  var name = ""
  var unit = ""
  /// What is said of it besides, at each look.
  var detail: (@Sendable () -> String)?
  /// How many items there will be, as far as the map itself does not know.
  var expected: Int?

  /// Nothing is shown, and nothing is counted.
  public static let none = ProgressStyle(kind: .none)

  /// A bar, with percentage, counts, rate, and the time that has passed and remains: as much of it as the terminal is wide for. Without
  /// a known total there is a counter, and no bar.
  ///
  /// - Parameters:
  ///   - name: What stands before it.
  ///   - unit: What the items are called.
  public static func bar(_ name: String = "", unit: String = "") -> ProgressStyle {
    ProgressStyle(kind: .bar(isCompact: false), name: name, unit: unit)
  }

  /// The same in one short line, without the bar itself.
  public static let compact = compact("")

  /// The same in one short line, without the bar itself.
  ///
  /// - Parameters:
  ///   - name: What stands before it.
  ///   - unit: What the items are called.
  public static func compact(_ name: String, unit: String = "") -> ProgressStyle {
    ProgressStyle(kind: .bar(isCompact: true), name: name, unit: unit)
  }

  /// A line at the beginning and at the end, and in between whenever another ten percent are done, but at most one a second and one every
  /// five seconds at the least: for logs.
  public static let lines = lines("")

  /// A line at the beginning and at the end, and in between whenever another ten percent are done, but at most one a second and one every
  /// five seconds at the least: for logs.
  ///
  /// - Parameters:
  ///   - name: What stands before it.
  ///   - unit: What the items are called.
  public static func lines(_ name: String, unit: String = "") -> ProgressStyle {
    ProgressStyle(kind: .lines, name: name, unit: unit)
  }

  /// A JSON object a line, at the beginning, once a second, and at the end: for other programs.
  public static let json = json("")

  /// A JSON object a line, at the beginning, once a second, and at the end: for other programs.
  ///
  /// - Parameters:
  ///   - name: Its `name`.
  ///   - unit: Its `unit`.
  public static func json(_ name: String, unit: String = "") -> ProgressStyle {
    ProgressStyle(kind: .json, name: name, unit: unit)
  }

  /// Whether anything is shown.
  var isShown: Bool { if case .none = kind { false } else { true } }

  /// The same, of so many items for certain. Unlike ``MapOptions/count`` it ends no input: one that ends before was cut short.
  package func expecting(_ total: Int?) -> ProgressStyle {
    var style = self
    style.expected = total
    return style
  }

  /// What the reporter makes of it.
  ///
  /// - Parameters:
  ///   - reporter: Is told how far the map is.
  ///   - name: What the map is called.
  ///   - unit: What the items are called.
  public static func custom(_ reporter: any ProgressReporter, name: String = "", unit: String = "") -> ProgressStyle {
    ProgressStyle(kind: .custom(reporter), name: name, unit: unit)
  }
}
