package postgres

import "syscall"

// dieWithParent asks the kernel to shut the server down cleanly when we end, however we end.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// memoryFolder is a folder in memory with room for the databases of many tests, or "": making a database there takes a tenth of the time.
func memoryFolder() string {
	const dir, room = "/dev/shm", 4 << 30
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil || stat.Bavail*uint64(stat.Bsize) < room {
		return ""
	}
	return dir
}
