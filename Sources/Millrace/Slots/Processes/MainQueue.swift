import CMillrace
// For the linker: what the C library asks of it is weak.
import Dispatch
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The main queue of a worker process, and with it the main actor: the thread that the process begins with serves it, beside its control
/// socket. The way is that of run loops, a descriptor and a function of libdispatch's.
struct MainQueue {
  /// The user's code runs beside it and may close it.
  private let news: Doorbell

  /// nil: there is none to serve.
  init?() {
    let descriptor = millrace_main_queue_descriptor()
    guard descriptor >= 0 else { return nil }
    news = .event(descriptor)
  }

  /// Serves it until something has come at the descriptor, or there is nothing to serve any more.
  func serve(until descriptor: Int32) {
    while case .served = serve(beside: descriptor) {}
  }

  /// Serves it once, as soon as there is something to do; `false`: there is nothing to serve any more.
  func serveOnce() -> Bool { serve(beside: nil) == .served }

  /// Wakes the thread that serves it.
  func wake() { Task { @MainActor in } }

  private enum News { case served, elsewhere, gone }

  private func serve(beside descriptor: Int32?) -> News {
    while news.isOpen {
      var states = [pollfd(fd: news.number, events: Int16(POLLIN), revents: 0)]
      if let descriptor { states.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)) }
      guard poll(&states, nfds_t(states.count), -1) >= 0 else {
        guard errno == EINTR else { return .gone }
        continue
      }
      // The pool goes first: what the user's code does there may take long.
      if states.count > 1, states[1].revents != 0 { return .elsewhere }
      guard states[0].revents == Int16(POLLIN) else { return .gone }
      millrace_main_queue_serve(news.number)
      return .served
    }
    return .gone
  }
}
