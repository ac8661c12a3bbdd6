import CMillrace
import Foundation
import MillraceTesting
import Synchronization
import Testing

@testable import MillraceIPC

/// Memory that several processes have, as one of them sees it.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
struct SharedBlockTests {
  private final class Listener: SharedHolder {
    let forgotten = Mutex<[SharedID]>([])
    func forget(_ id: SharedID) { forgotten.withLock { $0.append(id) } }
  }

  @Test("is all zero, all there, and gone with its last owner, who tells all that have it")
  func life() throws {
    let before = SharedRegistry.count
    let listener = Listener()
    var block: SharedBlock? = try SharedBlock(signature: 7, size: 100_000, hasLock: true)
    let token = block!.token
    #expect(block!.bytes.allSatisfy { $0 == 0 } && block!.bytes.count == 100_000)
    #expect(SharedRegistry.count == before + 1 && SharedRegistry.find(token.id) === block)
    block!.isHeld(by: listener)
    block = nil
    #expect(SharedRegistry.count == before && SharedRegistry.find(token.id) == nil)
    #expect(listener.forgotten.withLock { $0 } == [token.id])
  }

  @Test("comes twice and is mapped once; its descriptors are closed")
  func adoptedTwice() throws {
    let block = try SharedBlock(signature: 7, size: 10)
    let copy = millrace_fd_copy(try block.descriptorToSend())
    #expect(try SharedRegistry.adopt(block.token, copy) === block)
    #expect(fcntl(copy, F_GETFD) < 0)
    // As another process, where nobody knows it.
    let other = try SharedBlock(adopting: block.token, millrace_fd_copy(try block.descriptorToSend()))
    #expect(other.content != block.content)
    other.content.storeBytes(of: 9, toByteOffset: 3, as: UInt8.self)
    #expect(block.bytes[3] == 9)
  }

  @Test("what is not what it says is refused, and its descriptor closed")
  func refused() throws {
    let block = try SharedBlock(signature: 7, size: 10_000)
    func refuses(_ token: SharedToken, _ descriptor: Int32) {
      #expect(throws: (any Error).self) { try SharedBlock(adopting: token, descriptor) }
      #expect(fcntl(descriptor, F_GETFD) < 0)
    }
    func token(
      _ id: SharedID? = nil, _ form: SharedToken.Form = .memory, signature: UInt64 = 7, size: Int = 10_000
    ) -> SharedToken {
      SharedToken(id: id ?? block.token.id, form: form, signature: signature, size: size)
    }
    func copy() throws -> Int32 { millrace_fd_copy(try block.descriptorToSend()) }
    refuses(token(size: 1 << 20), try copy())
    refuses(token(signature: 8), try copy())
    refuses(token(SharedID(high: 1, low: 2)), try copy())
    // Nobody has written to it: there may be no room for what is not there.
    let holes = try SharedMemory(size: 1 << 20)
    refuses(token(nil, .constant, size: 1 << 20), millrace_fd_copy(holes.descriptor))
    let pipe = try MillraceIPC.Pipe()
    refuses(token(), millrace_fd_copy(pipe.reading.rawValue))
    refuses(token(nil, .file), millrace_fd_copy(pipe.reading.rawValue))
    // Another object by a number that is here.
    #expect(throws: SharedMissing.self) { try SharedRegistry.adopt(token(size: 1), copy()) }
  }

  @Test("tokens come back from their words, and nonsense does not")
  func tokens() {
    let token = SharedToken(id: SharedID(high: 1, low: .max), form: .file, signature: 3, size: 17, offset: 1 << 40)
    #expect(SharedToken(words: token.words) == token)
    #expect(SharedToken(words: token.words.dropLast()) == nil)
    for (place, word) in [(2, UInt64(0)), (2, 9), (4, .max), (4, 1 << 60), (5, .max)] {
      var words = token.words
      words[place] = word
      #expect(SharedToken(words: words) == nil, "\(place)")
    }
  }

  @Test("a thread that dies with the lock hands it on; who has it already is told so by a trap")
  func robustLock() async throws {
    let block = try SharedBlock(signature: 7, size: 8, hasLock: true)
    let hasEnded = Bell()
    try startThread("dies") {
      _ = block.header.lock()
      hasEnded.ring()
    }
    hasEnded.waitForWork()
    // The thread ends without giving it up: that is told by the kernel.
    #expect(block.header.lock())
    block.header.unlock()
    #expect(!block.header.lock())
    block.header.unlock()
  }
}
