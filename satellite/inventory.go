package satellite

import (
	"context"
	"slices"
	"time"
)

// Instances lists product instances in the order of their registration.
func (s *Service) Instances(ctx context.Context, actor Actor, filter InstanceFilter, page Page) (list []InstanceDetails, err error) {
	now := s.Now()
	err = s.viewInstances(ctx, actor, filter, func(tx Tx, filter InstanceFilter) error {
		list, err = instancesOf(tx, filter, page, now)
		return err
	})
	return list, err
}

// instancesOf is one page of product instances, as they are at an instant.
func instancesOf(tx Tx, filter InstanceFilter, page Page, now time.Time) ([]InstanceDetails, error) {
	instances, err := tx.Instances(filter, page.bounded())
	if err != nil {
		return nil, err
	}
	list := make([]InstanceDetails, 0, len(instances))
	names := namesOf(tx)
	for _, instance := range instances {
		details, err := names.details(instance.StateAt(now))
		if err != nil {
			return nil, err
		}
		list = append(list, details)
	}
	return list, nil
}

// Inventory is Instances with what each of them holds of the pools: the members
// of a high-availability pair together hold what one of them needs. What nobody
// holds, and was only measured or asked for, is left out.
func (s *Service) Inventory(ctx context.Context, actor Actor, filter InstanceFilter, page Page) (list []InstanceDetails, err error) {
	now := s.Now()
	err = s.viewInstances(ctx, actor, filter, func(tx Tx, filter InstanceFilter) error {
		if list, err = instancesOf(tx, filter, page, now); err != nil || len(list) == 0 {
			return err
		}
		ids := make([]InstanceID, len(list))
		for i, details := range list {
			ids[i] = details.ID
		}
		holdings, err := tx.HoldingsOf(ids)
		if err != nil {
			return err
		}
		return fillIn(tx, list, holdings, now)
	})
	return list, err
}

// fillIn gives each device what it holds, with pools as they are at an instant:
// each is brought there once, however many devices draw on it.
func fillIn(tx Tx, list []InstanceDetails, holdings map[InstanceID][]Holding, now time.Time) error {
	var pools []PoolRow
	byPlace := map[place]int{}
	for i := range list {
		list[i].Licenses = slices.DeleteFunc(holdings[list[i].ID], func(h Holding) bool { return h.Usage.Count == 0 })
		for _, h := range list[i].Licenses {
			at := place{h.Pool.VirtualAccountID, h.Pool.LicenseID}
			if _, known := byPlace[at]; !known {
				byPlace[at] = len(pools)
				pools = append(pools, h.row())
			}
		}
	}
	if err := current(tx, pools, now); err != nil {
		return err
	}
	for i := range list {
		for j := range list[i].Licenses {
			h := &list[i].Licenses[j]
			h.Pool = pools[byPlace[place{h.Pool.VirtualAccountID, h.Pool.LicenseID}]].Pool
		}
	}
	return nil
}

// CountInstances counts product instances.
func (s *Service) CountInstances(ctx context.Context, actor Actor, filter InstanceFilter) (count int64, err error) {
	err = s.viewInstances(ctx, actor, filter, func(tx Tx, filter InstanceFilter) error {
		count, err = tx.CountInstances(filter)
		return err
	})
	return count, err
}

// InstanceCursor is the Page.After behind which Instances goes on after so many rows.
func (s *Service) InstanceCursor(ctx context.Context, actor Actor, filter InstanceFilter, skip int64) (after int64, err error) {
	err = s.viewInstances(ctx, actor, filter, func(tx Tx, filter InstanceFilter) error {
		after, err = tx.InstanceCursor(filter, skip)
		return err
	})
	return after, err
}

// viewInstances reads with a filter that shows no more than the actor sees.
//
// KindNotFound for an account or a virtual account that he does not see, or that is not there.
func (s *Service) viewInstances(ctx context.Context, actor Actor, filter InstanceFilter, read func(Tx, InstanceFilter) error) (err error) {
	if filter.Scope, err = actor.sees(filter.AccountID, filter.VirtualAccountID); err != nil {
		return err
	}
	return s.store.View(ctx, func(tx Tx) error {
		filter := filter
		if filter.AccountID != 0 && filter.VirtualAccountID == 0 {
			if filter.Scope, err = scopeOf(tx, actor, filter.AccountID, filter.VirtualAccounts); err != nil {
				return err
			}
			filter.AccountID = 0 // the scope says it all
		}
		return read(tx, filter)
	})
}
