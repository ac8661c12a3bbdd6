import Foundation

/// The processes that a process has started, and those that these have started.
package func descendants(of process: Int32) -> [Int32] {
  let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
  let children = threads.flatMap { thread -> [Int32] in
    let list = try? String(contentsOfFile: "/proc/\(process)/task/\(thread)/children", encoding: .utf8)
    return (list ?? "").split(separator: " ").compactMap { Int32($0) }
  }
  return children + children.flatMap(descendants)
}
