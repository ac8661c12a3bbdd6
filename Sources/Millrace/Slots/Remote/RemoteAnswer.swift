/// What a worker elsewhere has said.
package enum RemoteAnswer {
  case opened(WorkerKey)
  case openFailed(WorkerKey, any Error)
  /// Outputs of the items that have none yet, up to an index.
  case outputs(SentChunk, upTo: Int, any AnyObject & Sendable)
  /// Outputs of some items, of which some could not be decoded.
  case mixed(SentChunk, Range<Int>, any AnyObject & Sendable, [(index: Int, error: any Error)])
  case itemFailed(SentChunk, index: Int, ItemFailure.Cause)
  /// It failed on a pool of the other side's.
  case failedThere(SentChunk, index: Int, ItemFailure)
  /// The chunk is over. Its last outputs come with that, if they have not come before.
  case done(SentChunk, outputs: (any AnyObject & Sendable)?, items: Int, elapsed: UInt64, memory: Int?)
  case tornDown(WorkerKey, Result<any Sendable, any Error>?)
  case stopped
}

/// What workers elsewhere have said, on its way to the dispatcher: one step, one lock for all that is there.
package struct RemoteNews {
  package typealias Event = (inout Dispatcher, UInt64) -> Void

  private var events: [Event] = []

  package init() {}

  package mutating func add(_ event: @escaping Event) { events.append(event) }

  /// Adds what an answer says. A retry's condition and a log handler of the user's may be asked.
  package mutating func add(_ answer: RemoteAnswer, slot: Int, generation: Int, to host: any SlotHost) {
    switch answer {
    case .opened(let key): add { $0.prepared(slot: slot, generation: generation, key, now: $1) }
    case .openFailed(let key, let error):
      add { $0.prepareFailed(slot: slot, generation: generation, key, error, now: $1) }
    case .outputs(let sent, let end, let outputs):
      add {
        $0.completed(slot: slot, generation: generation, chunk: sent.chunk.id, upTo: end, outputs: outputs, now: $1)
      }
    case .mixed(let sent, let range, let outputs, let broken):
      var next = range.lowerBound
      for (index, error) in broken {
        if index > next {
          add(.outputs(sent, upTo: index, outputs), slot: slot, generation: generation, to: host)
        }
        add(.itemFailed(sent, index: index, .undecodable(error)), slot: slot, generation: generation, to: host)
        next = index + 1
      }
      if range.upperBound > next {
        add(.outputs(sent, upTo: range.upperBound, outputs), slot: slot, generation: generation, to: host)
      }
    case .itemFailed(let sent, let index, let cause):
      let retryable = host.isRetryable(sent.chunk, index, slot, cause)
      add {
        $0.itemFailed(
          slot: slot, generation: generation, chunk: sent.chunk.id, cause, retryable: retryable, now: $1)
      }
    case .failedThere(let sent, let index, let failure):
      let retryable = host.isRetryable(sent.chunk, index, slot, failure.cause)
      add {
        $0.itemFailed(
          slot: slot, generation: generation, chunk: sent.chunk.id, failure.cause, retryable: retryable,
          standardError: failure.standardError, now: $1)
      }
    case .done(let sent, let outputs, let items, let elapsed, let memory):
      add {
        $0.finished(
          slot: slot, generation: generation, chunk: sent.chunk.id, outputs: outputs, items: items, elapsed: elapsed,
          bytes: ChunkBytes(sent: sent.bytes, received: sent.bytesBack), memory: memory, now: $1)
      }
    case .tornDown(let key, let exit):
      if let exit { host.exited(key, slot: slot, exit) }
      add { $0.tornDown(slot: slot, generation: generation, key, now: $1) }
    case .stopped: break
    }
  }

  /// Steps the pool with what one worker has said.
  package static func tell(_ answers: [RemoteAnswer], slot: Int, generation: Int, to host: any SlotHost) {
    var news = RemoteNews()
    for answer in answers { news.add(answer, slot: slot, generation: generation, to: host) }
    news.tell(host)
  }

  /// Steps the pool with all of it.
  package mutating func tell(_ host: any SlotHost) {
    guard !events.isEmpty else { return }
    let events = events
    self.events.removeAll(keepingCapacity: true)
    host.step { dispatcher, now in
      dispatcher.batch { for event in events { event(&$0, now) } }
    }
  }
}
