// Package scheduler runs periodic work by the store's memory instead of by timers: a job is due when the next time
// after its last recorded run has come. So a simulated clock drives the jobs as well as a real one, and however many
// runs were missed while the program was down, they are caught up by one.
//
// It alone imports cron, which reads the line of a job and says when its next time is.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// Job is a piece of periodic work.
type Job struct {
	// Name identifies the job in the store and in the log; it outlives restarts, so it is never reused.
	Name string
	// Spec says when, as Validate reads it.
	Spec string
	// Run does the work as of now, the one instant of the pass. It may be called again for work already done: a
	// crash between the work and its record, or a record that could not be written, brings it back.
	Run func(ctx context.Context, now time.Time) error
}

// Store remembers the last run of each job. It is implemented by whoever keeps the data.
type Store interface {
	// LastRun returns the instant of the last recorded run, zero for a job that never ran.
	LastRun(ctx context.Context, name string) (time.Time, error)
	// SaveRun records a run as of at; problem is empty where it went well, else one line of at most 1,000 bytes.
	SaveRun(ctx context.Context, name string, at time.Time, problem string) error
}

// maxProblem bounds what is stored of an error, in bytes; the log has all of it.
const maxProblem = 1000

// Runner runs the jobs that are due. No job of one Runner ever runs twice at once.
type Runner struct {
	store Store
	now   func() time.Time
	wake  <-chan time.Time
	log   *slog.Logger
	tasks []*task
}

// task is a job with its schedule, and whether it is running.
type task struct {
	Job
	schedule cron.Schedule
	running  sync.Mutex
}

// New returns a Runner for the jobs. Whatever comes on wake makes Run look for due jobs, as of now().
//
// It returns an error that names the job for a spec that Validate refuses (ErrSpec), a name that is empty or used
// twice, and a job without Run.
func New(store Store, now func() time.Time, wake <-chan time.Time, log *slog.Logger, jobs ...Job) (*Runner, error) {
	runner := &Runner{store: store, now: now, wake: wake, log: log}
	names := make(map[string]bool, len(jobs))
	for _, job := range jobs {
		schedule, err := parse(job.Spec)
		switch {
		case job.Name == "":
			return nil, fmt.Errorf("scheduler: the job with the schedule %q has no name", job.Spec)
		case names[job.Name]:
			return nil, fmt.Errorf("scheduler: two jobs are called %q; their runs would be taken for each other's", job.Name)
		case job.Run == nil:
			return nil, fmt.Errorf("scheduler: the job %q has nothing to run", job.Name)
		case err != nil:
			return nil, fmt.Errorf("scheduler: job %q: %w", job.Name, err)
		}
		names[job.Name] = true
		runner.tasks = append(runner.tasks, &task{Job: job, schedule: schedule})
	}
	return runner, nil
}

// Run starts what is due at each wake until ctx ends, waits for the jobs still running, and returns ctx's error.
// A long job delays no other. What goes wrong with a job is logged and recorded, and ends nothing.
// It returns another error only where wake was closed, because then nothing would ever run again.
func (r *Runner) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, open := <-r.wake:
			if !open {
				return errors.New("scheduler: the wake channel was closed; no job will run until the program is started again")
			}
			r.start(ctx, &running)
		}
	}
}

// RunDue makes one pass: it runs what is due, all at once, and waits for it. The error joins what went wrong with
// any of them, in the order of the jobs. A job that is running already is left alone.
func (r *Runner) RunDue(ctx context.Context) error {
	var running sync.WaitGroup
	problems := r.start(ctx, &running)
	running.Wait()
	return errors.Join(problems...)
}

// start begins one pass as of one instant. The errors have their place in the order of the jobs and are there when
// running is done.
func (r *Runner) start(ctx context.Context, running *sync.WaitGroup) []error {
	now := r.now()
	problems := make([]error, len(r.tasks))
	for i, task := range r.tasks {
		running.Go(func() { problems[i] = r.attend(ctx, task, now) })
	}
	return problems
}

// attend runs one task if it is due and not running, and records the run.
func (r *Runner) attend(ctx context.Context, task *task, now time.Time) error {
	// The lock comes before the question: asked first, a run that just ends would be repeated.
	if ctx.Err() != nil || !task.running.TryLock() {
		return nil
	}
	defer task.running.Unlock()

	last, err := r.store.LastRun(ctx, task.Name)
	if err != nil {
		return r.fail(ctx, task, fmt.Errorf("its last run cannot be read, so it was not run: %w", err))
	}
	if !due(task.schedule, last, now) {
		return nil
	}
	problem := r.call(ctx, task, now)
	if problem != nil && ctx.Err() != nil {
		// Cut short by the end of the program: without a record it is caught up after the next start.
		return r.fail(ctx, task, fmt.Errorf("stopped before its end, will be run again: %w", problem))
	}
	// The work is done, so its record is written even if the program is asked to end meanwhile.
	err = r.store.SaveRun(context.WithoutCancel(ctx), task.Name, now, oneLine(problem))
	if err != nil {
		err = fmt.Errorf("its run cannot be recorded, so it will be run again: %w", err)
	}
	if err = errors.Join(problem, err); err != nil {
		return r.fail(ctx, task, err)
	}
	return nil
}

// call runs the job and turns a panic into its error.
func (r *Runner) call(ctx context.Context, task *task, now time.Time) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.log.ErrorContext(ctx, "job panicked", "job", task.Name, "cause", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("panicked: %v", cause)
		}
	}()
	return task.Run(ctx, now)
}

// fail logs what went wrong with a task and gives it back with the task's name.
func (r *Runner) fail(ctx context.Context, task *task, err error) error {
	r.log.ErrorContext(ctx, "job failed", "job", task.Name, "error", err)
	return fmt.Errorf("job %q: %w", task.Name, err)
}

// oneLine is err as the store keeps it.
func oneLine(err error) string {
	if err == nil {
		return ""
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if text == "" {
		return "failed without a reason" // because an empty problem means that it went well
	}
	if len(text) > maxProblem {
		text = text[:maxProblem]
	}
	// The cut may have gone through a letter.
	return strings.ToValidUTF8(text, "")
}
