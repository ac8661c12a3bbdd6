/// A pipeline beside others: any of their stages puts into it, wherever they run.
///
/// ```swift
/// let log = SideChannel("log") { Pipeline<String, String> { Write("log.txt") } }
/// try await Pipeline { Items(1...10); Check(log: log) }.using(log).run()
/// ```
///
/// It begins with the first run that uses it (``Pipeline/using(_:)``), and ends behind the last: when the stages of that are torn down,
/// its last items go through, it is torn down itself, and then the run is over. A run that begins meanwhile has it anew, when it has ended: until
/// then what is put waits. A put waits for room. A stage on worker
/// processes has it in its configuration, or captures it; there it takes what can travel as an item, and a put is there whatever
/// becomes of its process. An item that is tried again puts again.
///
/// Where the channel's own pipeline wants no more (``Take``), what is put is dropped. A put that waits ends when its task is cancelled.
public struct SideChannel<Item: Sendable>: Sendable {
  /// What it is called in errors.
  public let name: String
  private let hub: SideHub<Item>?
  /// How items come there from other processes.
  private let mail: SharedQueue<SideLetter>?

  /// A side channel of this name.
  ///
  /// - Parameters:
  ///   - name: What it is called in errors.
  ///   - capacity: How many items may wait in it.
  ///   - build: Where its items go. What comes out at the end is dropped.
  public init<Output>(
    _ name: String, capacity: Int = 64, @PipelineBuilder _ build: () -> Pipeline<Item, Output>
  ) {
    let pipeline = build()
    self.name = name
    mail = nil
    hub = SideHub(name, capacity: max(1, capacity)) { items, scope in
      try pipeline.start(input: PipelineInput(source: items), nil, isMeasured: false, inside: scope)
    }
  }

  /// Puts an item in; waits for room.
  ///
  /// - Throws: a ``PipelineError`` if the channel's own pipeline has failed, or no run uses it now, which ends the run whose stage does not
  ///   catch it; `CancellationError` if the task is cancelled while it waits.
  public func put(_ item: Item) async throws {
    if let hub, hub.isHere { return try await hub.put(item) }
    guard let mail = mail ?? hub?.mail else { throw SideHub<Item>.unused(name) }
    let letter = try SideLetter(item)
    let isIn = try await withTaskCancellationHandler {
      try mail.push(letter, unless: { Task.isCancelled })
    } onCancel: {
      mail.wakeWriters()
    }
    if isIn { return }
    // It is closed behind the last run that used it.
    throw Task.isCancelled ? CancellationError() : SideHub<Item>.unused(name)
  }

  var user: any SideUse { hub! }
}

extension Pipeline {
  /// Its stages may put into the channel, which begins with its runs, and ends with them.
  public func using<Item>(_ channel: SideChannel<Item>) -> Pipeline {
    var options = StageOptions()
    options.channels = [channel.user]
    return grouped(options)
  }
}

extension SideChannel: Codable {
  private struct Form: Codable {
    var name: String
    var mail: SharedQueue<SideLetter>
  }

  /// For worker processes, in the configuration of a stage of a run that uses it.
  public func encode(to encoder: any Encoder) throws {
    guard let mail = mail ?? hub?.mail else { throw SideHub<Item>.unused(name) }
    var container = encoder.singleValueContainer()
    try container.encode(Form(name: name, mail: mail))
  }

  /// In a worker process.
  public init(from decoder: any Decoder) throws {
    let form = try decoder.singleValueContainer().decode(Form.self)
    (name, mail, hub) = (form.name, form.mail, nil)
  }
}
