internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Where progress is written.
package protocol ProgressDevice: Sendable {
  var traits: TerminalTraits { get }
  /// nil: not known.
  var columns: Int? { get }
  var rows: Int? { get }
  /// Whether it is ours to draw on, and not that of a program in front of us.
  var isInForeground: Bool { get }
  /// Writes the text, or nothing of it, if that cannot be done within so many milliseconds.
  func write(_ text: String, patience: Int32) -> DeviceAnswer
}

package enum DeviceAnswer: Sendable {
  case written
  /// It takes nothing now: somebody has stopped it, or does not read.
  case busy
  /// It will never take anything more.
  case gone
}

/// The program's standard error.
package struct StandardErrorDevice: ProgressDevice {
  /// So much a pipe that takes anything takes at once (`PIPE_BUF`); who writes more to it may have to wait.
  static let piece = 4_096

  private let descriptor: Int32

  package init(_ descriptor: Int32) { self.descriptor = descriptor }

  package init() { self.init(2) }

  package var traits: TerminalTraits {
    TerminalTraits(isTerminal: isatty(descriptor) != 0) { name in getenv(name).map { String(cString: $0) } }
  }

  package var columns: Int? { size.flatMap { $0.ws_col > 0 ? Int($0.ws_col) : nil } }
  package var rows: Int? { size.flatMap { $0.ws_row > 0 ? Int($0.ws_row) : nil } }

  private var size: winsize? {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 ? size : nil
  }

  package var isInForeground: Bool {
    let group = tcgetpgrp(descriptor)
    return group < 0 || group == getpgrp()
  }

  package func write(_ text: String, patience: Int32) -> DeviceAnswer {
    withoutBrokenPipe {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      let count = poll(&waiting, 1, patience)
      if count < 0 { return errno == EINTR ? .busy : .gone }
      if count == 0 { return .busy }
      if waiting.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { return .gone }
      var text = text
      return text.withUTF8 { bytes in
        var rest = UnsafeRawBufferPointer(bytes)
        while !rest.isEmpty {
          let piece = min(rest.count, Self.piece)
          #if canImport(Darwin)
          let written = Darwin.write(descriptor, rest.baseAddress, piece)
          #elseif canImport(Musl)
          let written = Musl.write(descriptor, rest.baseAddress, piece)
          #else
          let written = LibC.write(descriptor, rest.baseAddress, piece)
          #endif
          if written > 0 { rest = UnsafeRawBufferPointer(rebasing: rest[written...]) }
          if written > 0 && !rest.isEmpty || written < 0 && errno == EAGAIN {
            // It has begun: who reads no further loses the rest.
            guard poll(&waiting, 1, max(patience, 100)) > 0 else { return .written }
          } else if written < 0, errno != EINTR {
            return .gone
          }
        }
        return .written
      }
    }
  }

  /// A reader that has gone must not end the program: it only wanted to see how far we are.
  private func withoutBrokenPipe(_ body: () -> DeviceAnswer) -> DeviceAnswer {
    var pipe = sigset_t()
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    var pending = sigset_t()
    sigpending(&pending)
    let wasPending = sigismember(&pending, SIGPIPE) == 1
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, &pipe, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let answer = body()
    if answer == .gone, !wasPending {
      #if !canImport(Darwin)
      var now = timespec()
      while sigtimedwait(&pipe, nil, &now) < 0, errno == EINTR {}
      #endif
    }
    return answer
  }
}
