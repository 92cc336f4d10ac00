// Package store keeps the satellite's data in SQLite. It is the only importer
// of gorm, and knows no rule of the domain.
//
// One connection writes: it puts many Update calls into one transaction with
// synchronous=FULL and answers them after the commit, which is durable and fast
// at once (writer.go). A pool of read-only connections serves the views. gorm
// builds the statements, but for the few of the device path, which are prepared
// once on the writer's connection (transaction.go).
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"runtime"

	"github.com/pressly/goose/v3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"ssm/satellite"
)

//go:embed migrations
var migrations embed.FS

// Options say where the data is.
type Options struct {
	Path     string // of the SQLite file
	Node     string // whose chain of events this process writes; default "1"
	ReadOnly bool   // opens an existing database without a writer
}

// reader is one connection of the pool that views take in turn.
type reader struct {
	connection *sql.Conn
	gorm       *gorm.DB
	statements *prepared
}

// Store implements satellite.Store.
type Store struct {
	pool    *sql.DB
	readers chan *reader // those that are free
	writer  *writer
}

var _ satellite.Store = (*Store)(nil)

// Open opens or makes the database and brings its tables up to date. Only one
// process may have it open for writing: the caller holds the data folder's lock.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.Node == "" {
		options.Node = "1"
	}
	s := &Store{}
	if !options.ReadOnly {
		db, err := sql.Open("sqlite3", source(options.Path, "rwc", url.Values{"_txlock": {"immediate"}}))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		if err := migrate(ctx, db); err != nil {
			return nil, errors.Join(fmt.Errorf("bring the tables of %s up to date: %w", options.Path, err), db.Close())
		}
		if s.writer, err = newWriter(ctx, db, options.Node); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if err := s.openReaders(options); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// source is the DSN. Every pragma stands in it, so that each new connection has
// them: set on one pooled connection they would be missing on the next.
func source(path, mode string, more url.Values) string {
	values := url.Values{
		"mode": {mode}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_busy_timeout": {"10000"},
		"_foreign_keys": {"1"}, "_cache_size": {"-32768"}, // KiB
	}
	for key, value := range more {
		values[key] = value
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: values.Encode()}).String()
}

func (s *Store) openReaders(options Options) error {
	pool, err := sql.Open("sqlite3", source(options.Path, "ro", url.Values{
		// There are several readers, and the system keeps the pages of the file, too.
		"_query_only": {"1"}, "_txlock": {"deferred"}, "_cache_size": {"-8192"},
	}))
	if err != nil {
		return err
	}
	count := max(4, 2*runtime.NumCPU())
	s.readers = make(chan *reader, count)
	for range count {
		r, err := newReader(pool)
		if err != nil {
			return errors.Join(fmt.Errorf("open a reader: %w", err), pool.Close())
		}
		s.readers <- r
	}
	s.pool = pool
	return nil
}

func newReader(pool *sql.DB) (*reader, error) {
	connection, err := pool.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	r := &reader{connection: connection, statements: newPrepared(connection)}
	r.gorm, err = openGorm(connection)
	return r, err
}

func openGorm(pool gorm.ConnPool) (*gorm.DB, error) {
	return gorm.Open(sqlite.Dialector{Conn: pool}, &gorm.Config{
		SkipDefaultTransaction: true, TranslateError: true, DisableAutomaticPing: true, Logger: logger.Discard,
	})
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// View implements satellite.Store. A view takes one reader for its time, so
// that a function inside of a view must not begin another.
func (s *Store) View(ctx context.Context, f func(satellite.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		return r.view(f)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// view runs without the caller's context: the driver would start a goroutine
// for each statement, and every one of them is short.
func (r *reader) view(f func(satellite.Tx) error) (err error) {
	if _, err := r.connection.ExecContext(context.Background(), "BEGIN"); err != nil {
		return fmt.Errorf("begin a view: %w", err)
	}
	defer func() {
		_, ended := r.connection.ExecContext(context.Background(), "ROLLBACK") // nothing was written; the snapshot is given up
		err = errors.Join(err, ended)
	}()
	db := r.gorm.Session(&gorm.Session{NewDB: true})
	return f(&transaction{db: db, statements: r.statements})
}

// Update implements satellite.Store.
func (s *Store) Update(ctx context.Context, f func(satellite.Tx) error) error {
	if s.writer == nil {
		return errors.New("the database is open for reading only")
	}
	return s.writer.update(ctx, f)
}

// Close waits for the updates that are under way.
func (s *Store) Close() error {
	var err error
	if s.writer != nil {
		err = s.writer.close()
	}
	if s.pool == nil {
		return err
	}
	// Each reader comes back when its view ends.
	for range cap(s.readers) {
		r := <-s.readers
		err = errors.Join(err, r.statements.close(), r.connection.Close())
	}
	return errors.Join(err, s.pool.Close())
}

// Ping reads one row, for the readiness check.
func (s *Store) Ping(ctx context.Context) error {
	return s.View(ctx, func(tx satellite.Tx) error {
		_, err := tx.Roots()
		return err
	})
}
