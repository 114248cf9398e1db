package main

import "syscall"

// attributes puts a child into its own process group and asks the kernel to
// kill it should the warden itself be killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
