// The boxes in which Swift's runtime keeps what the indirect cases of enumerations carry. The compiler lets no Swift code name them.
#ifndef MILLRACE_BOX_H
#define MILLRACE_BOX_H

#if __has_attribute(swiftcall)
#define MILLRACE_SWIFTCALL __attribute__((swiftcall))
#else
#error "the compiler has to know Swift's calling convention"
#endif

struct millrace_box {
  void *_Nonnull object;
  void *_Nonnull place;
};

extern MILLRACE_SWIFTCALL struct millrace_box swift_allocBox(const void *_Nonnull type);
extern MILLRACE_SWIFTCALL void swift_deallocBox(void *_Nonnull box);
extern MILLRACE_SWIFTCALL void *_Nullable swift_projectBox(void *_Nullable box);

/// A box for a value of the type with this metadata, and the place for the value, which is not initialised.
static inline struct millrace_box millrace_box_make(const void *_Nonnull type) { return swift_allocBox(type); }

/// Frees a box whose value is not, or no longer, initialised.
static inline void millrace_box_free(void *_Nonnull box) { swift_deallocBox(box); }

/// Where the value in a box is; null for a box of nothing.
static inline void *_Nullable millrace_box_place(void *_Nullable box) { return swift_projectBox(box); }

#endif
