import Kernel

/// What W5's images, filters and results are.
struct Matrix: Codable, Equatable, Sendable {
  let rows: Int
  let columns: Int
  var elements: [Double]

  /// All zeros.
  init(rows: Int, columns: Int) {
    self.rows = rows
    self.columns = columns
    elements = [Double](repeating: 0, count: rows * columns)
  }

  /// One element, 1.
  static var dot: Matrix {
    var dot = Matrix(rows: 1, columns: 1)
    dot.elements[0] = 1
    return dot
  }

  /// Random filters of 4 x 4.
  static func filters(_ count: Int) -> [Matrix] {
    var state: UInt64 = 42
    return (0..<count).map { _ in
      var filter = Matrix(rows: 4, columns: 4)
      for i in filter.elements.indices { filter.elements[i] = Double(splitmix(&state) >> 11) * 0x1p-53 - 0.5 }
      return filter
    }
  }

  /// The full two-dimensional convolution.
  func convolved(with filter: Matrix) -> Matrix {
    var result = Matrix(rows: rows + filter.rows - 1, columns: columns + filter.columns - 1)
    result.elements.withUnsafeMutableBufferPointer { target in
      elements.withUnsafeBufferPointer { source in
        for row in 0..<result.rows {
          for i in max(0, row - rows + 1)...min(row, filter.rows - 1) {
            for j in 0..<filter.columns {
              let factor = filter.elements[i * filter.columns + j]
              let start = row * result.columns + j
              let sourceStart = (row - i) * columns
              for column in 0..<columns { target[start + column] += factor * source[sourceStart + column] }
            }
          }
        }
      }
    }
    return result
  }

  /// Every fifth row and column.
  var everyFifth: Matrix {
    var result = Matrix(rows: (rows + 4) / 5, columns: (columns + 4) / 5)
    for row in 0..<result.rows {
      for column in 0..<result.columns {
        result.elements[row * result.columns + column] = elements[row * 5 * columns + column * 5]
      }
    }
    return result
  }
}
