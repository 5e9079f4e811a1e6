//go:build unix && !linux

package postgres

import "syscall"

// dieWithParent: there is no such signal here; the next Start stops an orphan.
func dieWithParent(*syscall.SysProcAttr) {}

func memoryFolder() string { return "" }
