package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
)

// program is one line of input: a program to run.
type program struct {
	// Name names the log, NAME.log, and the note that is left when the program
	// ends by itself, NAME.exit; both in the supervised directory.
	Name string `json:"name"`
	// Argv is the executable and its arguments.
	Argv []string `json:"argv"`
}

// supervise runs each program that a line of input names, until the input ends
// or the process is told to stop. Then it kills them all and removes dir.
//
// The writing end of the input is held by the test process. The kernel closes
// it however that process ends, by return, panic or kill -9, and so nothing of
// a control plane outlives its tests.
func supervise(input io.Reader, dir string) error {
	// The death signal of the children is tied to the thread that started
	// them: stay on it.
	runtime.LockOSThread()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(input)
		for scanner.Scan() {
			lines <- []byte(scanner.Text())
		}
	}()

	var running []*exec.Cmd
	var waiting sync.WaitGroup
	failure := func() error {
		for {
			select {
			case <-stop:
				return nil
			case line, open := <-lines:
				if !open {
					return nil
				}
				var wanted program
				if err := json.Unmarshal(line, &wanted); err != nil {
					return fmt.Errorf("unreadable line %q: %w", line, err)
				}
				command, err := start(wanted, dir, &waiting)
				if err != nil {
					// Not the end of the others: the tests see the note.
					note(dir, wanted.Name, err.Error())
					continue
				}
				running = append(running, command)
			}
		}
	}()

	// Killed, not asked: the data is thrown away in any case. The last one
	// started goes first, so that no program complains of the loss of another.
	for index := len(running) - 1; index >= 0; index-- {
		_ = syscall.Kill(-running[index].Process.Pid, syscall.SIGKILL)
	}
	waiting.Wait()
	if err := os.RemoveAll(dir); err != nil && failure == nil {
		failure = err
	}
	return failure
}

// start runs a program in a process group of its own.
func start(wanted program, dir string, waiting *sync.WaitGroup) (*exec.Cmd, error) {
	if len(wanted.Argv) == 0 {
		return nil, fmt.Errorf("%s has no command", wanted.Name)
	}
	log, err := os.Create(filepath.Join(dir, wanted.Name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(wanted.Argv[0], wanted.Argv[1:]...)
	command.Dir = dir
	command.Stdout = log
	command.Stderr = log
	command.SysProcAttr = attributes()
	if err := command.Start(); err != nil {
		return nil, err
	}
	waiting.Go(func() {
		err := command.Wait()
		ending := "exit status 0"
		if err != nil {
			ending = err.Error()
		}
		note(dir, wanted.Name, ending)
	})
	return command, nil
}

// note leaves word for the tests that a program is not running any more.
func note(dir, name, ending string) {
	// Whoever waits for the file reads it as soon as it is there: it is there with all that it says.
	exit := filepath.Join(dir, name+".exit")
	if os.WriteFile(exit+".new", []byte(ending), 0o600) == nil {
		_ = os.Rename(exit+".new", exit)
	}
}
