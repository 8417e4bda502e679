;; The least that can hold a secret: a page of memory, and nothing that works on it.
(component
  (core module $memory (memory (export "memory") 1))
  (core instance (instantiate $memory)))
