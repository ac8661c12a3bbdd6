import Logging
import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// Whatever goes wrong, on whatever backend: each error, and each error in it, has a type that the user can name.
  @Suite struct ErrorMatrix {
    private static let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }

    private static func isProcesses(_ backend: WorkerPool.Backend) -> Bool {
      backend.description.contains("processes")
    }

    /// Without backtraces, of which the large program of the tests takes a second each.
    private static func processes(
      _ width: Int, _ start: WorkerPool.ProcessOptions.Start = .forkServer, threadsPerProcess: Int = 1
    ) -> WorkerPool.Backend {
      .processes(
        width,
        WorkerPool.ProcessOptions(
          start: start, threadsPerProcess: threadsPerProcess, environment: ["SWIFT_BACKTRACE": "enable=no"]))
    }

    private static let backends: [WorkerPool.Backend] =
      [
        .serial, .tasks(2), .threads(2), processes(1), processes(1, .spawn), processes(1, .fork),
        processes(2, threadsPerProcess: 2),
      ].runnable

    /// What ends the program elsewhere is tried on processes only, and no code is made to end in a serial pool.
    private static let deeds = backends.flatMap { backend in
      Deed.allCases.filter { deed in
        switch deed {
        case .traps, .exits, .isKilled, .closesDescriptors: isProcesses(backend)
        case .dawdles: backend.description != "serial"
        default: true
        }
      }.map { (backend, $0) }
    }

    private func errors(
      _ backend: WorkerPool.Backend, _ body: @escaping @Sendable (WorkerPool) async throws -> Void
    ) async -> (any Error)? {
      do {
        try await withWorkerPool(backend, logger: Self.quiet) { try await body($0) }
        return nil
      } catch {
        return error
      }
    }

    @Test("15.1: every error of an item is of a public type", arguments: deeds)
    func items(backend: WorkerPool.Backend, deed: Deed) async throws {
      // Who has closed everything still answers for the item, in memory.
      if deed == .closesDescriptors { return }
      let worker = Troublesome(deed, at: .item)
      let options = MapOptions(
        retry: deed == .exits ? .upTo(5, maximumCrashes: 2) : .never,
        timeouts: MapOptions.Timeouts(item: deed == .dawdles ? .milliseconds(50) : nil))
      let error = await errors(backend) { _ = try await $0.map([0, 1, 2], with: worker, options: options) }
      let failure = try #require(error as? ItemFailure, "\(deed) on \(backend): \(String(describing: error))")
      expectNameable(failure, "\(deed) on \(backend)")
      switch (deed, failure.cause) {
      case (.throwsOwn, .threw), (.throwsPlain, .threw(is Misfortune)), (.throwsSwifts, .threw),
        (.traps, .crashed), (.isKilled, .crashed), (.exits, .quarantined(2, .exited(3))), (.dawdles, .timedOut):
        break
      case (.throwsCodable, .threw(let error)): #expect(error as? Refused == Refused(item: 1))
      // What a pool inside has said arrives as it was said there, from a process too.
      case (.failsInside, .threw(let inner as ItemFailure)):
        #expect(inner.index == 0 && inner.underlying as? Refused == Refused(item: 1))
      case (.failsInsideCollecting, .threw(let inner as ItemFailures)):
        #expect(inner.count == 1 && inner.failures.first?.underlying as? Refused == Refused(item: 1))
      case (.isRefusedInside, .threw(let inner as InvalidOption)): #expect(inner.name == "width")
      case (.isCannotBeSetUpInside, .threw(let inner as WorkerPoolError)):
        #expect(inner.kind == .setUpFailed && inner.slot == 0 && inner.underlying as? Refused == Refused(item: 1))
      case (_, let cause): Issue.record("\(deed) on \(backend): \(cause)")
      }
    }

    @Test("15.1: every error of a set-up is of a public type", arguments: deeds)
    func setUps(backend: WorkerPool.Backend, deed: Deed) async throws {
      let worker = Troublesome(deed, at: .setUp)
      let options = MapOptions(timeouts: MapOptions.Timeouts(setUp: deed == .dawdles ? .milliseconds(50) : nil))
      let error = await errors(backend) { pool in
        for try await outcome in pool.outcomes(of: [1], with: worker, options: options) {
          if case .failure(let failure) = outcome.result { expectNameable(failure, "\(deed) on \(backend)") }
        }
      }
      let failure = try #require(error as? WorkerPoolError, "\(deed) on \(backend): \(String(describing: error))")
      expectNameable(failure, "\(deed) on \(backend)")
      #expect(failure.kind == .setUpFailed || deed == .isKilled && failure.kind == .cannotStart)
      switch (deed, (failure.underlying as? WorkerFailure)?.cause) {
      case (.traps, .crashed?), (.exits, .exited(3)?), (.isKilled, .crashed?), (.dawdles, .timedOut?),
        (.closesDescriptors, .undecodable(is TransportError)?):
        break
      case (.traps, _), (.exits, _), (.isKilled, _), (.dawdles, _), (.closesDescriptors, _):
        Issue.record("\(deed) on \(backend): \(failure)")
      case (_, let cause): #expect(cause == nil && failure.underlying != nil)
      }
    }

    @Test("15.1: every error of a tear-down is of a public type", arguments: deeds.filter { $0.1 != .dawdles })
    func tearDowns(backend: WorkerPool.Backend, deed: Deed) async throws {
      let worker = Troublesome(deed, at: .tearDown)
      let error = await errors(backend) { pool in
        _ = try await pool.map([1], with: worker)
        for exit in try await pool.tearDown(worker) { _ = try exit.result.get() }
      }
      if let error { expectNameable(error, "\(deed) on \(backend)") }
      if "\(deed)".hasPrefix("throws") { #expect(error != nil) }
    }

    @Test(
      "15.1: every error of a value on its way is of a public type", .forks,
      arguments: [processes(2), processes(2, .spawn), processes(2, .fork)])
    func values(backend: WorkerPool.Backend) async throws {
      for fault in Parcel.Fault.allCases {
        let error = await errors(backend) { _ = try await $0.map([Parcel(fault)], with: Forward()) }
        let failure = try #require(error as? ItemFailure, "\(fault) on \(backend): \(String(describing: error))")
        expectNameable(failure, "\(fault) on \(backend)")
        guard case .undecodable(let reason) = failure.cause else {
          Issue.record("\(fault) on \(backend): \(failure)")
          continue
        }
        switch fault {
        case .encodesOwn, .decodesBack: #expect(reason as? Refused == Refused(item: 1))
        case .encodes: #expect((reason as? RemoteError)?.typeName == "Swift.EncodingError")
        case .decodes: #expect((reason as? RemoteError)?.typeName == "Swift.DecodingError")
        case .decodesOwn: #expect((reason as? RemoteError)?.typeName.hasSuffix("Opaque") == true)
        }
      }
      let decoding = await errors(backend) { _ = try await $0.map([1], with: Troublesome(.traps, at: .decoding)) }
      if let decoding { expectNameable(decoding, "decoding on \(backend)") }
      #expect((decoding == nil) == backend.description.contains("fork"))
    }

    @Test("15.1: what cannot travel is refused with the name of its type", .forks)
    func unsupported() async throws {
      let input = await errors(.processes(1)) { _ = try await $0.map([Anvil()], with: TakesAnvils()) }
      let worker = await errors(.processes(1)) { _ = try await $0.map([1], with: IsAnvil()) }
      for (error, name) in [(input, "Acceptance.Anvil"), (worker, "Acceptance.IsAnvil")] {
        let error = try #require(error as? WorkerPoolError)
        let reason = try #require(error.underlying as? TransportError)
        #expect(error.kind == .notTransportable && reason.kind == .unsupportedType && reason.typeName == name)
      }
    }

    @Test("15.1: every refusal of a pool is of a public type", arguments: backends)
    func refusals(backend: WorkerPool.Backend) async throws {
      typealias Body = @Sendable (WorkerPool) async throws -> Void
      let all: [(WorkerPoolError.Kind?, Body)] = [
        (nil, { _ = try await $0.map([1], options: MapOptions(count: -1)) { $0 } }),
        (nil, { try $0.resize(to: 0) }),
        (
          .closed,
          { pool in
            try await pool.terminate()
            _ = try await pool.map([1], with: AddOne())
          }
        ),
        (
          .tooManyFailures,
          {
            let options = MapOptions(maximumFailures: 0)
            _ = try await $0.map([1], with: Picky(modulus: 2, remainder: 1), onFailure: .skip, options: options)
          }
        ),
        (
          .timedOut,
          {
            let options = MapOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(20)))
            _ = try await $0.map([1], with: Stuck(items: [1]), options: options)
          }
        ),
        (
          .nextTimedOut,
          {
            _ = try await $0.map([1], with: Stuck(items: [1]), options: MapOptions(nextTimeout: .milliseconds(20)))
          }
        ),
        (
          .calledFromItem,
          { pool in
            if Self.isProcesses(backend) { throw WorkerPoolError(.calledFromItem, "is another pool's there") }
            do {
              _ = try await pool.run(1) { _ in try await pool.shutdown() }
            } catch let error as ItemFailure {
              throw try #require(error.underlying)
            }
          }
        ),
        (
          .foreignPool,
          { pool in
            guard Self.isProcesses(backend) else { throw WorkerPoolError(.foreignPool, "there are no copies") }
            do {
              _ = try await pool.run(1) { _ in try await pool.shutdown() }
            } catch let error as ItemFailure {
              throw try #require(error.underlying)
            }
          }
        ),
      ]
      for (kind, body) in all where backend.description != "serial" || kind != .nextTimedOut {
        let error = try #require(await errors(backend, body), "\(String(describing: kind)) on \(backend)")
        expectNameable(error, "\(String(describing: kind)) on \(backend)")
        if let kind {
          #expect((error as? WorkerPoolError)?.kind == kind, "\(backend): \(error)")
        } else {
          #expect(error is InvalidOption, "\(backend): \(error)")
        }
      }
    }
  }
}
