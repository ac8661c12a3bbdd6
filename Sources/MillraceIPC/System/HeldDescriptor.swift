/// A descriptor in the hands of an object that may give it up: it is closed when nobody has it any more.
package final class HeldDescriptor: Sendable {
  private let descriptor: Descriptor

  package init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  package var rawValue: Int32 { descriptor.rawValue }
}
