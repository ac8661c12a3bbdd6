/// Which shared object it is, on the whole machine, for as long as anybody has it.
package struct SharedID: Hashable, Sendable {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// One that nobody else has: from the kernel, so that copies of this process do not make the same.
  static func fresh() -> SharedID {
    var source = SystemRandomNumberGenerator()
    return SharedID(high: source.next(), low: source.next())
  }
}

/// What travels in place of a shared object: enough to know it, or to map what its descriptor brings.
package struct SharedToken: Hashable, Sendable {
  /// How the memory is laid out.
  package enum Form: UInt64, Sendable {
    /// A header, then the content. Written by everybody.
    case memory = 1
    /// The content alone. Written by nobody once it travels.
    case constant = 2
    /// A piece of a file, which others may change.
    case file = 3
  }

  package let id: SharedID
  package let form: Form
  /// What is in it, for whoever maps it to check: the kind of object, and the size of an element.
  package let signature: UInt64
  /// Bytes of content.
  package let size: Int
  /// Where the content begins in a file.
  package let offset: Int

  package init(id: SharedID, form: Form, signature: UInt64, size: Int, offset: Int = 0) {
    self.id = id
    self.form = form
    self.signature = signature
    self.size = size
    self.offset = offset
  }

  package var words: [UInt64] {
    [id.high, id.low, form.rawValue, signature, UInt64(size), UInt64(offset)]
  }

  package static let wordCount = 6

  /// Nil for words that are no token.
  package init?(words: some Collection<UInt64>) {
    let words = Array(words)
    guard words.count == Self.wordCount, let form = Form(rawValue: words[2]), let size = Int(exactly: words[4]),
      let offset = Int(exactly: words[5]), size <= 1 << 47, offset <= .max - size
    else { return nil }
    self.init(
      id: SharedID(high: words[0], low: words[1]), form: form, signature: words[3], size: size, offset: offset)
  }
}

/// A shared object cannot be had here.
package struct SharedMissing: Error, Equatable, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}
