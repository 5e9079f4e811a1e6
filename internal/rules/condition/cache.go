package condition

import "sync"

// Cache keeps compiled expressions. The zero Cache is ready, and safe for concurrent use.
type Cache struct {
	mu    sync.RWMutex
	known map[string]Condition
}

// maxKnown bounds a Cache; past it everything is forgotten, because what is in use is compiled again at once.
const maxKnown = 1_000

// Holds reports whether an expression holds for a conversion. What does not compile or cannot be decided does not hold; an expression
// that is empty holds.
func (c *Cache) Holds(text string, f Fact) bool {
	if text == "" {
		return true
	}
	compiled, err := c.compiled(text)
	if err != nil {
		return false
	}
	holds, err := compiled.Eval(f)
	return err == nil && holds
}

func (c *Cache) compiled(text string) (Condition, error) {
	c.mu.RLock()
	found, ok := c.known[text]
	c.mu.RUnlock()
	if ok {
		return found, nil
	}
	made, err := Compile(text)
	if err != nil {
		return made, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxKnown {
		c.known = map[string]Condition{}
	}
	c.known[text] = made
	return made, nil
}
