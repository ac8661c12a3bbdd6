import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the shared objects have in common: how they are made, and how they travel.
enum SharedObject {
  /// What the memory holds, for whoever gets it to check.
  enum Kind: UInt64 {
    case array = 1
    case value, counter, flag, queue, bytes, encoded

    func signature(stride: Int = 0) -> UInt64 { rawValue << 56 | UInt64(stride) }
  }

  /// New memory of zeros for an object of this name.
  static func make(
    _ kind: Kind, _ form: SharedToken.Form = .memory, stride: Int = 0, bytes: Int, hasLock: Bool = false,
    name: @autoclosure () -> String
  ) throws -> SharedBlock {
    // In a memory group that is full, whoever asks for more is killed, or another one. So that is seen before.
    if let room = Machine.memoryRoom(for: bytes), bytes > room {
      throw SystemError("\(bytes) bytes of shared memory for \(name()), of which \(room) can be had", ENOMEM)
    }
    do throws(MemoryError) {
      return try SharedBlock(form, signature: kind.signature(stride: stride), size: bytes, hasLock: hasLock)
    } catch {
      throw SystemError("\(bytes) bytes of shared memory for \(name()): \(error.call)", error.code)
    }
  }

  /// Throws if nothing can have so many elements, or bytes.
  static func checkCount(_ count: Int) throws {
    guard count >= 0 else { throw InvalidOption(name: "count", value: count, allowed: "0 or more") }
  }

  /// The program ends: `index` is none of the `count` from `first` on. In release builds too this says of what and how many.
  @inline(never)
  static func outOfRange(
    _ index: some Any, of count: Int, from first: Int = 0, in name: @autoclosure () -> String
  ) -> Never {
    fatalError("index \(index) is out of range of \(name()), which has \(count) from \(first)")
  }

  /// The bytes of so many elements, if there can be so many.
  static func bytes(_ count: Int, of stride: Int, name: @autoclosure () -> String) throws -> Int {
    try checkCount(count)
    let (bytes, isTooMuch) = count.multipliedReportingOverflow(by: stride)
    guard !isTooMuch, bytes < 1 << 46 else {
      throw SystemError("\(count) elements of \(stride) bytes of shared memory for \(name())", ENOMEM)
    }
    return bytes
  }

  /// Throws if values of the type mean nothing in another process.
  static func check<Element: BitwiseCopyable>(_ type: Element.Type, name: @autoclosure () -> String) throws {
    guard Payload.isMemory(type) else {
      throw TransportError(
        .unsupportedType,
        "\(name()) cannot be shared: the address of something is in \(readableTypeName(type)), which means nothing in another process",
        typeName: readableTypeName(type))
    }
  }

  static func encode(_ block: SharedBlock, to encoder: any Encoder, name: @autoclosure () -> String) throws {
    guard isForWorkers(encoder), let passage = SharedPassage.current else {
      return try refuse(encoder, name: name())
    }
    do {
      try passage.carry(block)
    } catch let error as SharedMissing {
      throw TransportError(.sharedObject, "\(name()) cannot be sent: \(error)", typeName: name())
    } catch let error as SystemCallError {
      throw SystemError("sending \(name()): \(error.call)", error.code)
    }
    var container = encoder.unkeyedContainer()
    for word in block.token.words { try container.encode(word) }
  }

  static func decode(
    from decoder: any Decoder, _ signature: UInt64, atLeast size: Int = 0, name: @autoclosure () -> String
  ) throws -> SharedBlock {
    guard isForWorkers(decoder), let passage = SharedPassage.current else {
      throw refusal(name(), "from", isForWorkers(decoder) ? nil : "\(type(of: decoder))")
    }
    var container = try decoder.unkeyedContainer()
    let words = try (0..<SharedToken.wordCount).map { _ in try container.decode(UInt64.self) }
    guard let token = SharedToken(words: words), token.signature == signature, token.size >= size else {
      throw TransportError(.malformedValue, "What came is no \(name())", typeName: name())
    }
    do {
      return try passage.find(token)
    } catch let error as SharedMissing {
      throw TransportError(.sharedObject, "\(name()) did not come: \(error)", typeName: name())
    } catch let error as MemoryError {
      throw SystemError("\(name()): \(error.call)", error.code)
    } catch let error as SystemCallError {
      throw SystemError("\(name()): \(error.call)", error.code)
    }
  }

  /// Throws: the coder is none for workers.
  static func refuse(_ encoder: any Encoder, name: String) throws {
    throw refusal(name, "to", isForWorkers(encoder) ? nil : "\(type(of: encoder))")
  }

  private static func refusal(_ name: String, _ direction: String, _ coder: String?) -> TransportError {
    TransportError(
      .unsupportedType,
      "\(name) is memory that the processes of one machine have in common: it goes \(direction) the workers of a pool of threads, "
        + "tasks or processes only, not through \(coder ?? "what carries this value"); encode a copy of what is in it",
      typeName: name)
  }
}
