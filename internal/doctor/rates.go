package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/grapevine-referrals/grapevine/internal/rules/money"
)

// baseAmounts converts every sale in another currency again, by the recorded rate that it names.
func baseAmounts(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT c.workspace_id, c.id, c.amount, c.reversed_amount, c.currency, c.base_currency, c.base_amount, c.base_reversed_amount,
			c.exchange_rate, c.exchange_rate_source, c.exchange_rate_at, c.occurred_at,
			r.from_currency, r.to_currency, r.rate, r.source, r.effective_at
		FROM conversions AS c
		JOIN exchange_rates AS r ON r.workspace_id = c.workspace_id AND r.id = c.exchange_rate_id
		ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	sales, err := pgx.CollectRows(rows, pgx.RowToStructByPos[convertedSale])
	if err != nil {
		return nil, err
	}
	var findings []string
	for _, s := range sales {
		if fault := s.fault(); fault != "" {
			findings = append(findings, fmt.Sprintf("workspace %s: conversion %s %s", s.Workspace, s.ID, fault))
		}
	}
	return findings, nil
}

type convertedSale struct {
	Workspace, ID     uuid.UUID
	Amount, Reversed  int64
	Currency, Base    string
	Worth, Lost       int64
	Rate, Source      string
	EffectiveAt, At   time.Time
	From, To          string
	Recorded, By      string
	RecordedEffective time.Time
}

func (s convertedSale) fault() string {
	if s.Currency != s.From || s.Base != s.To || s.Rate != s.Recorded || s.Source != s.By || !s.EffectiveAt.Equal(s.RecordedEffective) {
		return "has another rate than the one that it names"
	}
	if s.EffectiveAt.After(s.At) {
		return "has a rate from after it"
	}
	rate, err := money.ParseRate(s.Rate)
	if err != nil {
		return "has a rate that is none: " + err.Error()
	}
	worth, err := money.Convert(s.Amount, s.From, s.To, rate)
	if err != nil || worth != s.Worth {
		return fmt.Sprintf("is worth %d by its rate, stored is %d", worth, s.Worth)
	}
	left, err := money.Convert(s.Amount-s.Reversed, s.From, s.To, rate)
	if err != nil || worth-left != s.Lost {
		return fmt.Sprintf("has lost %d by its rate, stored is %d", worth-left, s.Lost)
	}
	return ""
}
