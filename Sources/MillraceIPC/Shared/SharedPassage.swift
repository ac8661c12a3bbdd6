internal import CMillrace

/// Who knows how shared objects go to another side, and come from there.
package protocol SharedCarrier: AnyObject {
  /// The object is in what is being encoded: its descriptor goes to the other side before that does.
  ///
  /// Throws if it cannot go there.
  func carry(_ block: SharedBlock) throws

  /// The object that was named by the other side.
  func find(_ token: SharedToken) throws -> SharedBlock
}

/// For whom values are encoded on this thread, and from whom they are decoded: what shared objects in them go by.
///
/// It is of the thread, because a value's own `encode(to:)` and `init(from:)` lie in between.
package final class SharedPassage: @unchecked Sendable {
  // Sound: whoever has it set for its thread uses the carrier there, which is the carrier's own affair.
  private unowned let carrier: any SharedCarrier

  /// The carrier outlives it.
  package init(_ carrier: any SharedCarrier) { self.carrier = carrier }

  package func carry(_ block: SharedBlock) throws {
    try carrier.carry(block)
    for companion in block.companions { try carry(companion) }
  }

  package func find(_ token: SharedToken) throws -> SharedBlock { try carrier.find(token) }

  /// That of the calling thread.
  package static var current: SharedPassage? {
    millrace_passage().map { Unmanaged<SharedPassage>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Runs the body on this thread with this passage, which outlives it.
  package func within<R>(_ body: () throws -> R) rethrows -> R {
    let before = millrace_passage_exchange(Unmanaged.passUnretained(self).toOpaque())
    defer { _ = millrace_passage_exchange(before) }
    return try body()
  }

  /// From here on the calling thread, which is ours, has this passage; it has to outlive the thread's work.
  package func stay() { _ = millrace_passage_exchange(Unmanaged.passUnretained(self).toOpaque()) }

  /// The calling thread has none any more.
  package static func leave() { _ = millrace_passage_exchange(nil) }
}

/// For values that are encoded to see whether they can be: nothing of it goes anywhere.
package final class TrialCarrier: SharedCarrier, Sendable {
  private static let only = TrialCarrier()
  package static let passage = SharedPassage(only)

  package func carry(_ block: SharedBlock) throws { _ = try block.descriptorToSend() }

  package func find(_ token: SharedToken) throws -> SharedBlock {
    throw SharedMissing(description: "nothing comes from a trial")
  }
}

/// Whether it is Millrace's own, for workers: no other encoder can name a shared object.
package func isForWorkers(_ encoder: any Encoder) -> Bool { encoder is ValueEncoder }
package func isForWorkers(_ decoder: any Decoder) -> Bool { decoder is ValueDecoder }
