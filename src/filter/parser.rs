//! Tokens to an expression, by recursive descent with a bounded depth.

use super::ast::{Expr, Op, Path};
use super::lexer::{Token, error, tokens};
use crate::error::{Error, Result};
use serde_json::Value;

/// Nesting of `not` and parentheses that is taken.
const MAX_DEPTH: usize = 64;

impl Expr {
    /// Reads an expression. Errors name the position and what was expected there.
    pub fn parse(text: &str) -> Result<Expr> {
        let mut parser = Parser::new(text)?;
        let expr = parser.any()?;
        parser.end()?;
        Ok(expr)
    }
}

pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self> {
        Ok(Parser { text, tokens: tokens(text)?, at: 0, depth: 0 })
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, t)| t)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn fail(&self, message: impl std::fmt::Display) -> Error {
        let at = self.tokens.get(self.at).map_or(self.text.len(), |(at, _)| *at);
        error(self.text, at, message)
    }

    fn expected(&self, what: &str) -> Error {
        self.fail(format!("{what} expected, found {}", self.peek()))
    }

    /// Takes a sign if it is next.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(s) if *s == sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    fn is_keyword(token: &Token, keyword: &str) -> bool {
        matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(keyword))
    }

    /// Takes a keyword if it is next.
    fn keyword(&mut self, keyword: &str) -> bool {
        let found = Self::is_keyword(self.peek(), keyword);
        self.at += usize::from(found);
        found
    }

    /// Takes `name (` if it is next.
    pub(super) fn call(&mut self, name: &str) -> bool {
        let open = matches!(self.tokens.get(self.at + 1), Some((_, Token::Sign("("))));
        let found = open && Self::is_keyword(self.peek(), name);
        self.at += 2 * usize::from(found);
        found
    }

    pub(super) fn end(&mut self) -> Result<()> {
        if *self.peek() == Token::End { Ok(()) } else { Err(self.expected("`and`, `or` or the end")) }
    }

    /// Alternatives.
    pub(super) fn any(&mut self) -> Result<Expr> {
        let mut list = vec![self.all()?];
        while self.keyword("or") {
            list.push(self.all()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Expr::Or(list) })
    }

    fn all(&mut self) -> Result<Expr> {
        let mut list = vec![self.factor()?];
        while self.keyword("and") {
            list.push(self.factor()?);
        }
        Ok(if list.len() == 1 { list.remove(0) } else { Expr::And(list) })
    }

    fn factor(&mut self) -> Result<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail(format!("nested deeper than {MAX_DEPTH}")));
        }
        let expr = if self.keyword("not") {
            Expr::Not(Box::new(self.factor()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            self.expect(")")?;
            inner
        } else if self.call("exists") {
            let path = self.path()?;
            self.expect(")")?;
            Expr::Exists(path)
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn test(&mut self) -> Result<Expr> {
        let path = self.path()?;
        if let Some(op) = self.op() {
            return Ok(Expr::Compare(path, op, self.value()?));
        }
        if self.keyword("has") {
            return Ok(Expr::Has(path, self.value()?));
        }
        let negated = self.keyword("not");
        if !self.keyword("in") {
            return Err(self.expected(if negated { "`in`" } else { "a comparison, `in` or `has`" }));
        }
        self.expect("(")?;
        let mut values = vec![self.value()?];
        while self.sign(",") {
            values.push(self.value()?);
        }
        self.expect(")")?;
        Ok(Expr::In(path, values, negated))
    }

    pub(super) fn op(&mut self) -> Option<Op> {
        let op = match self.peek() {
            Token::Sign("=") => Op::Eq,
            Token::Sign("!=") => Op::Ne,
            Token::Sign("<") => Op::Lt,
            Token::Sign("<=") => Op::Le,
            Token::Sign(">") => Op::Gt,
            Token::Sign(">=") => Op::Ge,
            _ => return None,
        };
        self.at += 1;
        Some(op)
    }

    /// A number literal that is not negative.
    pub(super) fn number(&mut self) -> Result<f64> {
        match self.peek() {
            Token::Value(Value::Number(n)) => {
                let n = n.as_f64().ok_or_else(|| self.expected("a number"))?;
                self.at += 1;
                Ok(n)
            }
            _ => Err(self.expected("a number")),
        }
    }

    pub(super) fn comparison(&mut self) -> Result<Op> {
        self.op().ok_or_else(|| self.expected("a comparison such as `>`"))
    }

    fn path(&mut self) -> Result<Path> {
        let mut path = vec![self.name()?];
        while self.sign(".") {
            path.push(self.name()?);
        }
        Ok(path)
    }

    fn name(&mut self) -> Result<String> {
        const KEYWORDS: [&str; 5] = ["and", "or", "not", "in", "has"];
        match self.peek() {
            Token::Word(w) if KEYWORDS.iter().any(|k| w.eq_ignore_ascii_case(k)) => {
                Err(self.expected("a field's name").fix("a name that is a keyword stands in double quotes"))
            }
            Token::Word(_) | Token::Name(_) => match self.take() {
                Token::Word(name) | Token::Name(name) => Ok(name),
                other => Err(self.fail(format!("{other} is no name"))),
            },
            Token::Value(Value::String(_)) => {
                Err(self.expected("a field's name").fix("single quotes make a text, double quotes a name"))
            }
            _ => Err(self.expected("a field's name")),
        }
    }

    fn value(&mut self) -> Result<Value> {
        match self.peek() {
            Token::Value(Value::Null) => Err(self
                .fail("null satisfies no comparison")
                .fix("ask `exists(field)` or `not exists(field)`")),
            Token::Value(_) => match self.take() {
                Token::Value(v) => Ok(v),
                other => Err(self.fail(format!("{other} is no value"))),
            },
            Token::Word(w) => {
                let hint = format!("a text stands in single quotes: '{w}'");
                Err(self.expected("a value").fix(hint))
            }
            Token::Name(n) => {
                let hint = format!("a text stands in single quotes: '{n}'");
                Err(self.expected("a value").fix(hint))
            }
            _ => Err(self.expected("a value")),
        }
    }
}
