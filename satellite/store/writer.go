package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"gorm.io/gorm"

	"ssm/satellite"
)

// maxBatch is how many updates share a commit. At 64 waiting callers a larger
// one changes nothing; it bounds how long the first of a batch waits.
const maxBatch = 128

// writer owns the one connection that writes. Its loop takes what is waiting,
// runs it in one transaction, and answers after the commit; while one batch is
// being committed the next gathers by itself.
type writer struct {
	db         *sql.DB
	connection *sql.Conn
	gorm       *gorm.DB
	statements *prepared
	node       string

	calls   chan *call
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	position position // touched by the loop only
}

// position is where the chain of events and the change numbers stand. It is
// part of the transaction: rolled back with it.
type position struct {
	event  int64
	hash   [32]byte
	change int64
}

type call struct {
	ctx  context.Context
	f    func(satellite.Tx) error
	err  error
	ran  bool
	done chan struct{}
}

func newWriter(ctx context.Context, db *sql.DB, node string) (*writer, error) {
	connection, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, connection: connection, node: node, statements: newPrepared(connection),
		calls: make(chan *call, maxBatch), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	// Pages that change again and again (the ends of indexes) go to the database
	// file once per checkpoint, not once per megabyte: 40 MB of log instead of 4.
	if err := w.exec("PRAGMA wal_autocheckpoint = 10000"); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	if w.gorm, err = openGorm(connection); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	if err := w.loadPosition(); err != nil {
		return nil, errors.Join(fmt.Errorf("read the end of the event chain: %w", err), connection.Close())
	}
	go w.loop()
	return w, nil
}

func (w *writer) loadPosition() error {
	row := w.connection.QueryRowContext(context.Background(), `SELECT number, hash FROM events WHERE node = ? ORDER BY number DESC LIMIT 1`, w.node)
	var hash []byte
	if err := row.Scan(&w.position.event, &hash); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	copy(w.position.hash[:], hash)
	return w.connection.QueryRowContext(context.Background(), `SELECT MAX(n) FROM (`+changeNumbers+`)`).Scan(&w.position.change)
}

var errClosed = errors.New("the database is closed")

func (w *writer) update(ctx context.Context, f func(satellite.Tx) error) error {
	c := &call{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case <-w.stop:
		return errClosed
	default:
	}
	select {
	case w.calls <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	select {
	case <-c.done:
		// Also where ctx ended meanwhile: the function may be running, and what it
		// sets belongs to the caller only once it has ended.
		return c.err
	case <-w.stopped:
		select {
		case <-c.done:
			return c.err
		default:
			return errClosed
		}
	}
}

func (w *writer) loop() {
	defer close(w.stopped)
	for {
		select {
		case first := <-w.calls:
			w.run(w.gather(first))
		case <-w.stop:
			select {
			case first := <-w.calls:
				w.run(w.gather(first))
			default:
				return
			}
		}
	}
}

// gather takes what is waiting. Then it lets those run once who are about to
// call: where both cores are busy they share this commit, and where nobody is,
// it costs nothing.
func (w *writer) gather(first *call) []*call {
	batch := w.waiting([]*call{first})
	runtime.Gosched()
	return w.waiting(batch)
}

func (w *writer) waiting(batch []*call) []*call {
	for len(batch) < maxBatch {
		select {
		case next := <-w.calls:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// run commits a batch and answers it. The first try goes without savepoints;
// where a function fails after it has written, everything is rolled back and
// run again with a savepoint each, so that no failure touches a neighbor.
func (w *writer) run(batch []*call) {
	start := w.position
	err := w.try(batch, false)
	if errors.Is(err, errAgain) {
		w.position = start
		err = w.try(batch, true)
	}
	if err != nil {
		w.position = start
	}
	for _, c := range batch {
		if err != nil && (c.err == nil || !c.ran) {
			c.err = err
		}
		close(c.done)
	}
}

var errAgain = errors.New("run the batch again with savepoints")

// try runs the batch in one transaction. It returns nil when it is committed.
func (w *writer) try(batch []*call, savepoints bool) (err error) {
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	wrote := false
	for _, c := range batch {
		if c.err = c.ctx.Err(); c.err != nil {
			continue
		}
		dirty, err := w.call(c, savepoints)
		if err != nil {
			return errors.Join(err, w.exec("ROLLBACK"))
		}
		wrote = wrote || dirty
	}
	if !wrote {
		return w.exec("ROLLBACK")
	}
	if err := w.exec("COMMIT"); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), w.exec("ROLLBACK"))
	}
	return nil
}

// call runs one function. The error is errAgain, or a fault of the transaction
// itself; the function's own error is in c.err.
func (w *writer) call(c *call, savepoint bool) (dirty bool, err error) {
	before := w.position
	if savepoint {
		if err := w.exec("SAVEPOINT update_call"); err != nil {
			return false, err
		}
	}
	tx := &transaction{db: w.gorm, statements: w.statements, writer: w}
	w.statements.wrote = false
	tx.db = w.gorm.Session(&gorm.Session{NewDB: true, Context: context.Background()})
	tx.db.Statement.ConnPool = tracked{w.connection, &w.statements.wrote}
	c.err = protect(c.f, tx)
	c.ran = true
	dirty = w.statements.wrote
	if c.err != nil {
		if dirty && !savepoint {
			return true, errAgain
		}
		w.position = before
		if dirty {
			if err := w.exec("ROLLBACK TO update_call"); err != nil {
				return false, err
			}
		}
		dirty = false
	}
	if savepoint {
		return dirty, w.exec("RELEASE update_call")
	}
	return dirty, nil
}

// protect turns a panic of one function into its error.
func protect(f func(satellite.Tx) error, tx satellite.Tx) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", fault, debug.Stack())
		}
	}()
	return f(tx)
}

func (w *writer) exec(statement string) error {
	_, err := w.connection.ExecContext(context.Background(), statement)
	return err
}

func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.stopped
	return errors.Join(w.statements.close(), w.connection.Close(), w.db.Close())
}
