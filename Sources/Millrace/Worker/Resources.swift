/// A state that knows how to close itself: a ``Worker`` whose state this is needs no `tearDown` of its own.
public protocol ClosableState {
  /// Closes it. The worker is at its end; nobody uses the state any more.
  func close() async throws
}

extension Worker where State: ClosableState, Exit == Void {
  /// Closes the state.
  public func tearDown(_ state: State) async throws { try await state.close() }
}

/// What a worker has opened, as one state that closes by itself: in reverse, the last that was opened first.
///
/// ```swift
/// func setUp(_ context: WorkerContext) throws -> Resources<Session> {
///   try Resources { opening in
///     let log = try opening.add(Log(path)) { try $0.close() }
///     let connection = try opening.add(Connection(host, log)) { $0.hangUp() }
///     return Session(log: log, connection: connection)
///   }
/// }
/// ```
///
/// If something cannot be opened, what was opened before it is closed in the same order, and the set-up fails with that error. What cannot
/// be closed keeps nothing else open: the others are closed too, and then the first of these errors is thrown, as the tear-down's.
@dynamicMemberLookup
public struct Resources<Value>: ClosableState {
  /// What is made of them; the worker's methods use it.
  public var value: Value
  private var opened: Opening

  /// Opens them, one after the other.
  ///
  /// - Parameter open: Opens each, says how it is closed (``Opening/add(_:closing:)``), and returns what the worker works with.
  /// - Throws: what `open` throws, after all that it had opened is closed.
  public init(_ open: (inout Opening) async throws -> Value) async throws {
    var opening = Opening()
    do {
      value = try await open(&opening)
    } catch {
      // It fails for what could not be opened; that something cannot be closed either is no better reason.
      try? await opening.close()
      throw error
    }
    opened = opening
  }

  /// Closes all of them, the last that was opened first.
  public func close() async throws { try await opened.close() }

  /// A property of the value.
  public subscript<Member>(dynamicMember path: KeyPath<Value, Member>) -> Member { value[keyPath: path] }

  /// A property of the value.
  public subscript<Member>(dynamicMember path: WritableKeyPath<Value, Member>) -> Member {
    get { value[keyPath: path] }
    set { value[keyPath: path] = newValue }
  }

  /// What has been opened so far.
  public struct Opening {
    private var closings: [() async throws -> Void] = []

    /// Something that is open now, and how it is closed.
    ///
    /// - Returns: `resource`.
    @discardableResult
    public mutating func add<Resource>(
      _ resource: Resource, closing close: @escaping (Resource) async throws -> Void
    ) -> Resource {
      closings.append { try await close(resource) }
      return resource
    }

    fileprivate func close() async throws {
      var first: (any Error)?
      for close in closings.reversed() {
        do { try await close() } catch { first = first ?? error }
      }
      if let first { throw first }
    }
  }
}

// What is open belongs to its worker.
@available(*, unavailable)
extension Resources: Sendable {}
@available(*, unavailable)
extension Resources.Opening: Sendable {}
