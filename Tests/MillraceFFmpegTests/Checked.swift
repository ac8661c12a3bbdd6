import MillraceTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// One after another; none leaves a process, descriptor or file behind.
@Suite(.serialized, .leakChecked, .timeLimit(.minutes(1)))
enum Checked {}

/// Whether ffmpeg is here: `scripts/setup` installs it.
let hasFFmpeg: Bool = {
  let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin"
  return path.split(separator: ":").contains { access("\($0)/ffmpeg", X_OK) == 0 }
}()
