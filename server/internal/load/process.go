//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that runs for a measurement.
type process struct {
	cmd     *exec.Cmd
	addr    string
	profile string // file for a CPU profile of what is measured; "" for none
	orders  io.WriteCloser
	lines   *bufio.Scanner
}

// pinned are the processors of servers and of clients: with two or more each
// side has one of its own, so that one can't take the other's time.
var pinned = runtime.NumCPU() >= 2 && hasTaskset()

func hasTaskset() bool { _, err := exec.LookPath("taskset"); return err == nil }

// start starts a server on the first processor, or on all; it is up once it has
// printed where it listens.
func start(all bool, name string, args ...string) (*process, error) {
	p, err := launch(all, nil, name, args...)
	if err != nil {
		return nil, err
	}
	for p.lines.Scan() {
		if _, rest, ok := strings.Cut(p.lines.Text(), "(listening on "); ok {
			p.addr = strings.TrimSuffix(rest, ")")
			return p, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("%s ended before it listened", name)
}

func launch(all bool, env []string, name string, args ...string) (*process, error) {
	if pinned {
		cpus := "0"
		if all {
			cpus = fmt.Sprintf("0-%d", allCPUs-1)
		}
		args = append([]string{"-c", cpus, name}, args...)
		name = "taskset"
	}
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), env...)
	// A server does not outlive the measurement, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, orders: in, lines: bufio.NewScanner(out)}, nil
}

// allCPUs is how many there are; this process itself may be bound to one.
var allCPUs = func() int {
	n := 0
	stat, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(stat)) {
		if strings.HasPrefix(line, "cpu") && !strings.HasPrefix(line, "cpu ") {
			n++
		}
	}
	return max(n, 1)
}()

// bind has this process run on the last processor: it starts itself again.
func bind() error {
	const mark = "ANTEROOM_LOAD_BOUND"
	if !pinned || os.Getenv(mark) != "" {
		pinned = pinned || os.Getenv(mark) != ""
		return nil
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{"taskset", "-c", strconv.Itoa(allCPUs - 1), self}, os.Args[1:]...)
	return syscall.Exec(taskset, args, append(os.Environ(), mark+"=1"))
}

// stop ends the server.
func (p *process) stop() {
	p.orders.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(3*time.Second, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	for p.lines.Scan() {
	}
	p.cmd.Wait()
}

// order tells a server of our own to do something and decodes what it answers.
func (p *process) order(order string, v any) error {
	if _, err := fmt.Fprintln(p.orders, order); err != nil {
		return err
	}
	if !p.lines.Scan() {
		return fmt.Errorf("no answer to %q", order)
	}
	return json.Unmarshal(p.lines.Bytes(), v)
}

// begin and end are the processor time the server has used, at the beginning
// and at the end of what is measured.
func (p *process) begin() (time.Duration, error) {
	if p.profile != "" {
		if err := p.order("profile "+p.profile, &struct{}{}); err != nil {
			return 0, err
		}
	}
	return p.cpu(), nil
}

func (p *process) end() (time.Duration, error) {
	used := p.cpu()
	if p.profile != "" {
		return used, p.order("stop", &struct{}{})
	}
	return used, nil
}

// cpu is the processor time the server has used.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	ticks := 0
	for _, f := range fields[11:13] { // utime, stime
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}

// rss is the memory the server holds, in bytes.
func (p *process) rss() float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(n) * 1024
		}
	}
	return 0
}

// freePort finds a port for a server that can't choose one itself.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// startCentrifugo starts Centrifugo with its defaults, open to everybody.
func startCentrifugo(all bool, program string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := launch(all, []string{
		"CENTRIFUGO_HTTP_SERVER_ADDRESS=127.0.0.1", fmt.Sprintf("CENTRIFUGO_HTTP_SERVER_PORT=%d", port),
		"CENTRIFUGO_CLIENT_INSECURE=true", "CENTRIFUGO_LOG_LEVEL=error", "CENTRIFUGO_HEALTH_ENABLED=true",
	}, program)
	if err != nil {
		return nil, err
	}
	p.addr = fmt.Sprintf("127.0.0.1:%d", port)
	for range 300 {
		if r, err := http.Get("http://" + p.addr + "/health"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not answer", program)
}
