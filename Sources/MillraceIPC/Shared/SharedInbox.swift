/// The shared objects that a worker process was given: each is here until the program has none of it any more.
///
/// The process's control thread puts them in, its lanes wait for those that they are told of.
package final class SharedInbox: @unchecked Sendable {
  // Sound: guarded by the condition's mutex.
  private let condition = Condition()
  private var objects: [SharedID: Result<SharedBlock, any Error>] = [:]

  package init() {}

  /// The descriptor of an object has come; owned from here on.
  package func take(_ token: SharedToken, _ descriptor: Int32) {
    // Whatever is wrong with it is told to the item that needs it.
    let object = Result { try SharedRegistry.adopt(token, descriptor) }
    condition.lock()
    let before = objects.updateValue(object, forKey: token.id)
    condition.wakeAll()
    condition.unlock()
    withExtendedLifetime(before) {}
  }

  /// Nobody in the program has it any more.
  package func forget(_ id: SharedID) {
    condition.lock()
    let object = objects.removeValue(forKey: id)
    condition.unlock()
    withExtendedLifetime(object) {}
  }

  /// The object; waits for its descriptor, which was sent before it was named, but comes by another way.
  package func find(_ token: SharedToken) throws -> SharedBlock {
    condition.lock()
    while objects[token.id] == nil { condition.wait() }
    let object = objects[token.id]!
    condition.unlock()
    let block = try object.get()
    guard block.token == token else { throw SharedMissing(description: "an object that is another one here") }
    return block
  }
}
